# Says where `cmake --install` puts headers, libraries, pkg-config files, the CMake package, the
# tool, manual pages, shell completion and documents. The whole may be moved afterwards, because
# every path in these files is relative to the file that names it.
#
# The top CMakeLists.txt includes this file last, when it knows all targets. A target that a
# variant does not build is not installed.
include(CMakePackageConfigHelpers)

# ---- libraries --------------------------------------------------------------------------------

# Each pair is a target and its name for other projects, madang::NAME.
set(madang_installed "")
foreach(pair madang:madang madang_static:madang-static madang_sysv:sysv
        madang_sysv_static:sysv-static)
  string(REGEX MATCH "^(.*):(.*)$" pair "${pair}")
  if(TARGET ${CMAKE_MATCH_1})
    set_target_properties(${CMAKE_MATCH_1} PROPERTIES EXPORT_NAME ${CMAKE_MATCH_2})
    list(APPEND madang_installed ${CMAKE_MATCH_1})
  endif()
endforeach()

# Only the tool preloads this library, and nobody links it. So it needs no link libNAME.so.
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

# ---- the tool (tools/madang installs its shell completion) -------------------------------------

if(TARGET madang_tool)
  install(TARGETS madang_tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# ---- the bridge -------------------------------------------------------------------------------

set(MADANG_SYSTEMD_DIR lib/systemd/system CACHE STRING "Where the bridge's unit is installed")
if(TARGET madang_bridge)
  install(TARGETS madang_bridge RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  set(madang_bridge_dir ${PROJECT_SOURCE_DIR}/tools/bridge)
  configure_file(${madang_bridge_dir}/madang-bridge@.service.in
                 ${PROJECT_BINARY_DIR}/package/madang-bridge@.service @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/package/madang-bridge@.service
          DESTINATION ${MADANG_SYSTEMD_DIR})
  install(FILES ${madang_bridge_dir}/madang-bridge.bash-completion RENAME madang-bridge
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
endif()

# ---- manual pages -----------------------------------------------------------------------------

# A page documents every name in its NAME section (.Nm). For each name but the page's own, a page
# of one line (`.so`) leads to it, so that `man mdg_segment_detach` works. They are made here.
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
if(NOT TARGET madang_bridge)
  list(FILTER madang_pages EXCLUDE REGEX "/madang-bridge\\.1$")
endif()
foreach(page IN LISTS madang_pages)
  madang_install_page(${page})
endforeach()

# ---- documents --------------------------------------------------------------------------------

foreach(document LICENSE README.md CHANGELOG.md docs)
  if(IS_DIRECTORY ${PROJECT_SOURCE_DIR}/${document})
    install(DIRECTORY ${PROJECT_SOURCE_DIR}/${document} DESTINATION ${CMAKE_INSTALL_DOCDIR}
            FILES_MATCHING PATTERN "*.md" PATTERN "*.svg" PATTERN "*.json"
            PATTERN benchmarks EXCLUDE)
  else()
    install(FILES ${PROJECT_SOURCE_DIR}/${document} DESTINATION ${CMAKE_INSTALL_DOCDIR})
  endif()
endforeach()

# ---- and back ---------------------------------------------------------------------------------

if(NOT TARGET uninstall)
  add_custom_target(uninstall
    COMMAND ${CMAKE_COMMAND} -DMANIFEST=${PROJECT_BINARY_DIR}/install_manifest.txt
            -P ${CMAKE_CURRENT_LIST_DIR}/Uninstall.cmake VERBATIM)
endif()
