# Copies the public headers and the headers that they include into GALORE_PUBLIC_HEADERS/galore. Our
# headers include each other relative to src/; the copies use galore/..., so that an embedder's
# core/files.h is never taken for ours.
#
#   cmake -DGALORE_SOURCE=src -DGALORE_PUBLIC_HEADERS=folder -P cmake/PublicHeaders.cmake
cmake_minimum_required(VERSION 3.25)
set(headers
  optim/autograd_optimizer.h optim/optimizer.h  # optimizers for modules of others
  heads/value_learning.h  # value heads for modules of others
  checkpoint/state_files.h checkpoint/safetensors.h checkpoint/hugging_face.h  # files
  models/causal_lm.h models/generate.h tokenizer/tokenizer.h train/inputs.h  # our models
  train/trainer.h train/schedule.h train/evaluation.h)  # our loop

file(REMOVE_RECURSE "${GALORE_PUBLIC_HEADERS}/galore")
set(done "")
while(headers)
  list(POP_FRONT headers header)
  if(header IN_LIST done)
    continue()
  endif()
  list(APPEND done "${header}")
  file(READ "${GALORE_SOURCE}/${header}" text)
  string(REGEX MATCHALL "#include \"[a-z0-9_/]+\\.h\"" includes "${text}")
  foreach(include ${includes})
    string(REGEX REPLACE "#include \"(.*)\"" "\\1" name "${include}")
    list(APPEND headers "${name}")
  endforeach()
  string(REGEX REPLACE "#include \"([a-z])" "#include \"galore/\\1" text "${text}")
  file(WRITE "${GALORE_PUBLIC_HEADERS}/galore/${header}" "${text}")
endwhile()
