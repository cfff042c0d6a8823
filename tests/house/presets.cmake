# SPDX-License-Identifier: MIT
#
# presets.cmake - whether CMake understands the expressions by which presets choose tests. One with
# more than nine pairs of brackets it does not: then ctest chooses as if there were none.
#
#     cmake -P presets.cmake CMakePresets.json
cmake_minimum_required(VERSION 3.25)
math(EXPR last "${CMAKE_ARGC} - 1")
file(READ "${CMAKE_ARGV${last}}" presets)
string(JSON count LENGTH "${presets}" testPresets)
math(EXPR last "${count} - 1")
set(expressions 0)
foreach(index RANGE ${last})
  foreach(way include exclude)
    string(JSON expression ERROR_VARIABLE none
           GET "${presets}" testPresets ${index} filter ${way} name)
    if(none STREQUAL "NOTFOUND")
      string(REGEX MATCH "${expression}" matched "a name") # an error if it does not compile
      math(EXPR expressions "${expressions} + 1")
    endif()
  endforeach()
endforeach()
if(expressions EQUAL 0)
  message(FATAL_ERROR "no preset chooses its tests by an expression")
endif()
message(STATUS "${expressions} expressions")
