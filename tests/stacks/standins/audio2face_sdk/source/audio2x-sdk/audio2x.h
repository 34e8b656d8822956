#pragma once
#include <string>
std::string a2f_versions();
