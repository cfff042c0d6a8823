# SPDX-License-Identifier: MIT
# The tests of maps, which CMakeLists.txt includes.
heap_test(map_content)
heap_test(map_deaths)
heap_test(map_full)
heap_test(map_growth)
heap_test(map_hash)
heap_test(map_hostile)
heap_test(map_locks)
heap_test(map_marks)
target_sources(heap-map_marks PRIVATE ../sync/points/step.c)
heap_test(map_once)
heap_test(map_points)
target_sources(heap-map_points PRIVATE ../sync/points/step.c)
heap_test(map_remove)
target_sources(heap-map_remove PRIVATE ../sync/points/step.c)
heap_test(map_renamed)
target_sources(heap-map_renamed PRIVATE ../sync/points/step.c)
heap_test(map_reuse)
target_sources(heap-map_reuse PRIVATE ../sync/points/step.c)
heap_test(map_stopped)
target_sources(heap-map_stopped PRIVATE ../sync/points/step.c)
heap_test(map_threads)

# What it costs, by hand.
add_executable(heap-map_measure EXCLUDE_FROM_ALL map_measure.c)
target_link_libraries(heap-map_measure PRIVATE madang_tests madang_static Threads::Threads
                      ${CMAKE_DL_LIBS})

# Between programs that were built unlike, as in tests/life.
add_executable(heap-map_peers map_peers.c)
target_link_libraries(heap-map_peers PRIVATE madang_tests madang_static Threads::Threads)
add_test(NAME heap.map_peers.same
         COMMAND enclose --timeout 280 -- $<TARGET_FILE:heap-map_peers>
                 $<TARGET_FILE:heap-map_peers>)
set_tests_properties(heap.map_peers.same PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300
                     ENVIRONMENT "${tsan_options}")
foreach(kind ${unlike})
  add_test(NAME heap.map_peers.${kind}
           COMMAND ${CMAKE_SOURCE_DIR}/tests/life/cross.sh ${kind} ${CMAKE_SOURCE_DIR}
                   ${CMAKE_BINARY_DIR}/cross-${kind} ${CMAKE_COMMAND} heap-map_peers
                   -- $<TARGET_FILE:enclose> --timeout 280 -- $<TARGET_FILE:heap-map_peers>)
  set_tests_properties(heap.map_peers.${kind} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600
                       ENVIRONMENT "${tsan_options}")
endforeach()
