# SPDX-License-Identifier: Apache-2.0
# Writes build/<preset>/generated/dynamo/git_info.h at each build; it changes only when the answer does.
# Outside a git checkout the description is "unknown".
set(DYNAMO_GENERATED_DIR "${CMAKE_BINARY_DIR}/generated")
set(git_script "${CMAKE_CURRENT_LIST_DIR}/WriteGitInfo.cmake")
add_custom_target(dynamo_git_info ALL
  COMMAND ${CMAKE_COMMAND} -DSOURCE_DIR=${CMAKE_SOURCE_DIR} -DVERSION=${PROJECT_VERSION}
          -DOUTPUT=${DYNAMO_GENERATED_DIR}/dynamo/git_info.h -P ${git_script}
  BYPRODUCTS "${DYNAMO_GENERATED_DIR}/dynamo/git_info.h"
  COMMENT "" VERBATIM)
