# SPDX-License-Identifier: Apache-2.0

# dynamo_library(kv_router
#   SOURCES radix_tree.cpp …          sources, relative to the library's folder
#   PUBLIC  dynamo::base …            libraries whose headers appear in public headers
#   PRIVATE fmt::fmt …                the rest
#   TESTS   radix_tree_test.cpp …     GoogleTest sources; built as one binary, in unity batches of 8
#   TEST_LIBS …                       what only the tests need
#   TEST_LABELS conformance …         labels beside 'unit'
#   BENCH   radix_tree_bench.cpp …)   Google Benchmark sources, with -DDYNAMO_BENCH=ON
#
# makes target dynamo_<name> with alias dynamo::<name>; '/' in a name becomes '_' in the target.
function(dynamo_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE;TESTS;TEST_LIBS;TEST_LABELS;BENCH" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "dynamo_library(${name}): unknown arguments ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  string(REPLACE "/" "_" flat "${name}")
  set(target "dynamo_${flat}")
  add_library(${target} STATIC ${ARG_SOURCES})
  add_library(dynamo::${flat} ALIAS ${target})
  target_include_directories(${target} PUBLIC
    "$<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:include>"
    PRIVATE "${CMAKE_SOURCE_DIR}/src")
  target_link_libraries(${target} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE} $<BUILD_INTERFACE:dynamo_warnings>)
  set_property(GLOBAL APPEND PROPERTY DYNAMO_LIBRARY_TARGETS ${target})
  set_property(TARGET ${target} PROPERTY DYNAMO_LIBRARY_NAME "${name}")

  if(DYNAMO_TESTS AND ARG_TESTS)
    add_executable(${target}_test ${ARG_TESTS})
    target_include_directories(${target}_test PRIVATE "${CMAKE_SOURCE_DIR}/src")
    target_link_libraries(${target}_test PRIVATE
      ${target} ${ARG_PRIVATE} ${ARG_TEST_LIBS} GTest::gmock GTest::gtest_main dynamo_warnings)
    target_compile_definitions(${target}_test PRIVATE DYNAMO_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    set_target_properties(${target}_test PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    gtest_discover_tests(${target}_test
      DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
      TEST_PREFIX "${name}/"
      PROPERTIES LABELS "unit;${ARG_TEST_LABELS}" TIMEOUT 120)
    set_property(GLOBAL APPEND PROPERTY DYNAMO_TEST_TARGETS ${target}_test)
  endif()

  if(DYNAMO_BENCH AND ARG_BENCH)
    add_executable(${target}_bench ${ARG_BENCH})
    target_include_directories(${target}_bench PRIVATE "${CMAKE_SOURCE_DIR}/src")
    target_compile_definitions(${target}_bench PRIVATE DYNAMO_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    target_link_libraries(${target}_bench PRIVATE
      ${target} ${ARG_PRIVATE} benchmark::benchmark benchmark::benchmark_main dynamo_warnings)
  endif()
endfunction()

# One generated translation unit per public header proves that the header stands alone
# (target dynamo_header_checks, part of './x check').
function(dynamo_write_header_checks)
  get_property(targets GLOBAL PROPERTY DYNAMO_LIBRARY_TARGETS)
  add_custom_target(dynamo_header_checks)
  foreach(target IN LISTS targets)
    get_target_property(name ${target} DYNAMO_LIBRARY_NAME)
    file(GLOB_RECURSE headers RELATIVE "${CMAKE_SOURCE_DIR}/include" CONFIGURE_DEPENDS
      "${CMAKE_SOURCE_DIR}/include/dynamo/${name}/*.h")
    if(NOT headers)
      continue()
    endif()
    set(sources "")
    foreach(header IN LISTS headers)
      string(MAKE_C_IDENTIFIER "${header}" id)
      set(source "${CMAKE_BINARY_DIR}/header_checks/${id}.cpp")
      file(CONFIGURE OUTPUT "${source}" CONTENT "#include <${header}>\n")
      list(APPEND sources "${source}")
    endforeach()
    add_library(${target}_header_check OBJECT EXCLUDE_FROM_ALL ${sources})
    target_link_libraries(${target}_header_check PRIVATE ${target} dynamo_warnings)
    add_dependencies(dynamo_header_checks ${target}_header_check)
  endforeach()
endfunction()
