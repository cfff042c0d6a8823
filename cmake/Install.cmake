# What `cmake --install` puts where: headers, libraries, pkg-config files, the CMake package, the
# tool, manual pages, shell completion, documents. All of it may be moved as a whole afterwards:
# every path inside is relative to the file that names it.
#
# Included last by the top CMakeLists.txt, when all targets are known. What was not built in a
# variant is left out.
include(CMakePackageConfigHelpers)

# ---- libraries --------------------------------------------------------------------------------

# Target and the name it has for others, as madang::NAME.
set(madang_installed "")
foreach(pair madang:madang madang_static:madang-static madang_sysv:sysv
        madang_sysv_static:sysv-static)
  string(REGEX MATCH "^(.*):(.*)$" pair "${pair}")
  if(TARGET ${CMAKE_MATCH_1})
    set_target_properties(${CMAKE_MATCH_1} PROPERTIES EXPORT_NAME ${CMAKE_MATCH_2})
    list(APPEND madang_installed ${CMAKE_MATCH_1})
  endif()
endforeach()

# Preloaded by the tool alone: nobody links it, so without the link for that.
if(TARGET madang_strict)
  install(TARGETS madang_strict LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} NAMELINK_SKIP)
endif()

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/madang DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
if(madang_installed)
  install(TARGETS ${madang_installed} EXPORT madangTargets
          LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
          INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

  # The CMake package: find_package(madang).
  set(madang_package ${CMAKE_INSTALL_LIBDIR}/cmake/madang)
  install(EXPORT madangTargets NAMESPACE madang:: DESTINATION ${madang_package})
  configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/madangConfig.cmake.in
    ${PROJECT_BINARY_DIR}/package/madangConfig.cmake INSTALL_DESTINATION ${madang_package}
    NO_SET_AND_CHECK_MACRO)
  # Below 1.0 a minor version may change the interface.
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/madangConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/package/madangConfig.cmake
                ${PROJECT_BINARY_DIR}/package/madangConfigVersion.cmake
          DESTINATION ${madang_package})

  # pkg-config files. ${pcfiledir} is where the file itself lies, so the way from there to the
  # prefix depends on how deep the library directory is.
  if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
    set(madang_pc_prefix "${CMAKE_INSTALL_PREFIX}")
  else()
    file(RELATIVE_PATH madang_pc_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
    string(REGEX REPLACE "/$" "" madang_pc_prefix "\${pcfiledir}/${madang_pc_prefix}")
  endif()
  foreach(dir LIB INCLUDE)
    string(TOLOWER madang_pc_${dir}dir variable)
    if(IS_ABSOLUTE "${CMAKE_INSTALL_${dir}DIR}")
      set(${variable} "${CMAKE_INSTALL_${dir}DIR}")
    else()
      set(${variable} "\${prefix}/${CMAKE_INSTALL_${dir}DIR}")
    endif()
  endforeach()
  foreach(name madang madang-sysv)
    configure_file(${CMAKE_CURRENT_LIST_DIR}/${name}.pc.in
                   ${PROJECT_BINARY_DIR}/package/${name}.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/package/${name}.pc
            DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  endforeach()
endif()

# ---- the tool; its shell completion is installed where it lies ---------------------------------

if(TARGET madang_tool)
  install(TARGETS madang_tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# ---- manual pages -----------------------------------------------------------------------------

# A page documents every name in its NAME section (.Nm). For each but its own a page of one line,
# `.so`, leads to it, so that `man mdg_segment_detach` works; those are made here and not kept.
function(madang_install_page page)
  get_filename_component(name ${page} NAME)
  string(REGEX MATCH "^(.*)\\.([0-9])$" name "${name}")
  set(base ${CMAKE_MATCH_1})
  set(section ${CMAKE_MATCH_2})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
  file(READ ${page} text)
  string(REGEX REPLACE "\n\\.Sh (SYNOPSIS|LIBRARY|DESCRIPTION).*" "" text "${text}")
  string(REGEX MATCHALL "\n\\.Nm [A-Za-z0-9_-]+" aliases "${text}")
  list(TRANSFORM aliases REPLACE "\n\\.Nm " "")
  list(REMOVE_ITEM aliases ${base})
  foreach(alias IN LISTS aliases)
    if(NOT EXISTS ${PROJECT_SOURCE_DIR}/man/${alias}.${section})
      file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/package/man/${alias}.${section}
           CONTENT ".so man${section}/${base}.${section}\n" @ONLY)
      install(FILES ${PROJECT_BINARY_DIR}/package/man/${alias}.${section}
              DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
    endif()
  endforeach()
endfunction()

file(GLOB madang_pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/man/*.[1-8])
foreach(page IN LISTS madang_pages)
  madang_install_page(${page})
endforeach()

# ---- documents --------------------------------------------------------------------------------

foreach(document LICENSE README.md CHANGELOG.md docs)
  if(IS_DIRECTORY ${PROJECT_SOURCE_DIR}/${document})
    install(DIRECTORY ${PROJECT_SOURCE_DIR}/${document} DESTINATION ${CMAKE_INSTALL_DOCDIR}
            FILES_MATCHING PATTERN "*.md")
  else()
    install(FILES ${PROJECT_SOURCE_DIR}/${document} DESTINATION ${CMAKE_INSTALL_DOCDIR})
  endif()
endforeach()
