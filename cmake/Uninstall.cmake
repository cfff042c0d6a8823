# Removes what the last `cmake --install` of this build has installed: it left the list in MANIFEST.
#
#     cmake --build build/default --target uninstall
#
# Directories that are Madang's own go too. Others stay, because they may have been there before.
if(NOT EXISTS "${MANIFEST}")
  message(FATAL_ERROR "Nothing was installed from this build: there is no ${MANIFEST}")
endif()
file(STRINGS "${MANIFEST}" files)
set(directories "")
foreach(file IN LISTS files)
  set(file "$ENV{DESTDIR}${file}")
  if(EXISTS "${file}" OR IS_SYMLINK "${file}")
    message(STATUS "Removing: ${file}")
    file(REMOVE "${file}")
    if(EXISTS "${file}" OR IS_SYMLINK "${file}")
      message(FATAL_ERROR "${file} cannot be removed")
    endif()
  endif()
  get_filename_component(directory "${file}" DIRECTORY)
  if(file MATCHES "/madang/__init__\\.py$")
    file(REMOVE_RECURSE "${directory}/__pycache__") # Python's, from when the module was used
  endif()
  while(directory MATCHES "/madang(/|$)")
    list(APPEND directories "${directory}")
    get_filename_component(directory "${directory}" DIRECTORY)
  endwhile()
endforeach()

# The deepest first. rmdir removes no directory in which something is left.
list(REMOVE_DUPLICATES directories)
list(SORT directories ORDER DESCENDING)
foreach(directory IN LISTS directories)
  execute_process(COMMAND rmdir ${directory} ERROR_QUIET)
endforeach()
