# SPDX-License-Identifier: Apache-2.0
set(describe "unknown")
find_program(git git)
if(git)
  execute_process(COMMAND ${git} describe --tags --always WORKING_DIRECTORY "${SOURCE_DIR}"
    OUTPUT_VARIABLE out OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE rc ERROR_QUIET)
  if(rc EQUAL 0 AND NOT out STREQUAL "")
    set(describe "${out}")
  endif()
endif()
file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT
"// Generated at build time; do not edit.
#pragma once
#define DYNAMO_VERSION \"${VERSION}\"
#define DYNAMO_GIT_DESCRIBE \"${describe}\"
")
