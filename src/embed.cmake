# Files as C: char NAME[] = {the bytes of all files in -DNAME, a zero behind them}, for each NAME that begins with heed_.
#   cmake -DOUTPUT=text.c "-Dheed_a=one.html" "-Dheed_b=one.js;two.js" -P embed.cmake
get_cmake_property(variables VARIABLES)
list(FILTER variables INCLUDE REGEX "^heed_")
set(text "")
foreach(name ${variables})
  set(bytes "")
  foreach(file ${${name}})
    file(READ ${file} hex HEX)
    string(APPEND bytes ${hex})
  endforeach()
  # Not a string literal: these have a length limit.
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
  string(APPEND text "extern const char ${name}[];\nconst char ${name}[] = {\n${bytes}0};\n")
endforeach()
file(WRITE ${OUTPUT} "${text}")
