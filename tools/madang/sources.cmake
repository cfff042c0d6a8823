# The tool's files, for the tool itself and for the tests and fuzzers that build parts of it.
#
# A command is one line of commands.def: COMMAND(GROUP, NAME) is the file GROUP/NAME.c, and its
# page is man/madang-NAME.1. Files that several commands share, or that a command is cut into, are
# listed here.
set(madang_tool_dir ${CMAKE_CURRENT_LIST_DIR})
# What the bridge says of itself is read by code of the bridge.
cmake_path(GET madang_tool_dir PARENT_PATH madang_bridge_dir)
string(APPEND madang_bridge_dir /bridge)
set(madang_tool_includes ${madang_tool_dir} ${madang_bridge_dir})

# What reads and writes text, and needs no namespace.
set(madang_tool_text base/parse.c base/show.c base/table.c base/json.c)
set(madang_tool_sources ${madang_tool_text}
  base/commands.c base/options.c base/say.c base/namespace.c base/remains.c base/kind.c base/file.c
  base/list.c base/progress.c
  core/ls_common.c core/ls_segments.c core/ls_sets.c core/ls_queues.c core/rm_kinds.c
  run/preload.c run/program.c run/strict.c run/log.c
  run/private.c run/keeper.c run/proxy.c run/witness.c run/detach.c
  channel/channel_options.c channel/channel_open.c channel/channel_wait.c
  channel/channel_stats.c channel/channels_read.c channel/channels_print.c channel/bridged.c
  heap/heap_read.c heap/heap_print.c heap/heap_json.c
  heap/map_open.c heap/map_print.c heap/map_text.c
  locks/locks_read.c locks/locks_threads.c locks/locks_sets.c locks/locks_stuck.c
  locks/locks_words.c locks/locks_print.c
  doctor/doctor_print.c seen/seen.c seen/seen_objects.c
  graph/picture_make.c graph/picture_edges.c graph/picture_merge.c graph/picture_limit.c
  graph/picture_dot.c
  graph/picture_layout.c graph/picture_text.c
  metrics/metrics_list.c metrics/metrics_bridge.c metrics/metrics_write.c metrics/metrics_http.c
  graph/page_tables.c graph/page_html.c graph/page_svg.c graph/page_legend.c
  top/top_cell.c top/top_segments.c top/top_processes.c top/top_locks.c top/top_channels.c
  top/top_objects.c top/top_look.c top/top_list.c top/top_layout.c top/top_once.c
  top/top_paint.c top/paint_head.c top/paint_text.c top/top_keys.c)

# The screen of `madang top`. Its library is opened by the program, and not linked.
option(MADANG_NCURSES "madang top has a screen, if the headers of ncurses are there" ON)
include(CheckIncludeFiles)
if(MADANG_NCURSES)
  check_include_files("curses.h;term.h" MADANG_HAS_NCURSES)
endif()
if(MADANG_NCURSES AND MADANG_HAS_NCURSES)
  list(APPEND madang_tool_sources top/terminal.c)
else()
  list(APPEND madang_tool_sources top/terminal_none.c)
endif()

# All but main.c: the files above, and one for each command.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${madang_tool_dir}/commands.def)
file(STRINGS ${madang_tool_dir}/commands.def lines REGEX "^COMMAND")
foreach(line IN LISTS lines)
  string(REGEX REPLACE "^COMMAND.([a-z]+), *([a-z]+).*" "\\1/\\2.c" file "${line}")
  list(APPEND madang_tool_sources ${file})
endforeach()
list(TRANSFORM madang_tool_text PREPEND ${madang_tool_dir}/)
list(TRANSFORM madang_tool_sources PREPEND ${madang_tool_dir}/)
foreach(name read json words)
  list(APPEND madang_tool_sources ${madang_bridge_dir}/status/${name}.c)
endforeach()
