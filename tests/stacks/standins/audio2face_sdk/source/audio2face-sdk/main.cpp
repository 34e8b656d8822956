#include <cstring>
#include <iostream>
#include <string>

std::string a2f_versions();

int main(int count, char** words) {
  if (count > 1 && !std::strcmp(words[1], "--help")) {
    std::cout << "benchmark [--benchmark_list_tests={true|false}]" << std::endl;
    return 0;
  }
  std::cout << "Audio2Face SDK Example: " << PROGRAM << ", " << a2f_versions() << std::endl;
  return 1;  // as the SDK's own without a GPU
}
