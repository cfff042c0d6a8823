# The tarball that may be unpacked anywhere: cmake --workflow --preset release. What is in it, and
# why it may be moved, is in Install.cmake. The Debian packages are made by debian/rules.
set(CPACK_GENERATOR TGZ)
set(madang_machine ${CMAKE_SYSTEM_PROCESSOR})
if(CMAKE_SIZEOF_VOID_P EQUAL 4 AND madang_machine STREQUAL "x86_64")
  set(madang_machine i686) # 32-bit programs, built on a 64-bit system
endif()
string(TOLOWER "${CMAKE_SYSTEM_NAME}" madang_system)
set(CPACK_PACKAGE_FILE_NAME madang-${PROJECT_VERSION}-${madang_system}-${madang_machine})
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
include(CPack)
