# The page's own files become C: heed_page_html, heed_page_style and heed_page_script (page.h).
set(page_folder ${CMAKE_CURRENT_LIST_DIR}/page)
set(page_scripts data colour heads lines map predictions main) # in the order in which one builds on the other
list(TRANSFORM page_scripts REPLACE "(.+)" "${page_folder}/\\1.js")
set(page_text ${CMAKE_BINARY_DIR}/generated/page_text.c)
add_custom_command(
  OUTPUT ${page_text}
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${page_text} "-Dheed_page_html=${page_folder}/page.html" "-Dheed_page_style=${page_folder}/page.css"
          "-Dheed_page_script=${page_scripts}" -P ${CMAKE_SOURCE_DIR}/src/embed.cmake
  DEPENDS ${page_folder}/page.html ${page_folder}/page.css ${page_scripts} ${CMAKE_SOURCE_DIR}/src/embed.cmake
  VERBATIM)
target_sources(heed PRIVATE ${page_text})
