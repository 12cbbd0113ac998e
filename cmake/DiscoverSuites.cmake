# Registers every suite of a GoogleTest program as one CTest test.
#
#   cmake -DPROGRAM=file -DFOLDER=folder -DPROPERTIES=list -DOUTPUT=file -P cmake/DiscoverSuites.cmake
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND "${PROGRAM}" --gtest_list_tests OUTPUT_VARIABLE listed COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "(^|\n)[^ \n]+\\.[^\n]*" lines "${listed}")
set(tests "")
foreach(line ${lines})
  # A suite of values has a comment behind its name.
  string(REGEX REPLACE "^\n?([^ \n]+)\\..*" "\\1" suite "${line}")
  string(APPEND tests
         "add_test([=[${suite}]=] [=[${PROGRAM}]=] [=[--gtest_filter=${suite}.*]=] --gtest_brief=1)\n"
         "set_tests_properties([=[${suite}]=] PROPERTIES WORKING_DIRECTORY [=[${FOLDER}]=]"
         " SKIP_REGULAR_EXPRESSION [=[\\[  SKIPPED \\]]=] ${PROPERTIES})\n")
endforeach()
file(WRITE "${OUTPUT}" "${tests}")
