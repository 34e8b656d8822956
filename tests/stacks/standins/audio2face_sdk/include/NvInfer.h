#pragma once
#include "NvInferVersion.h"
extern "C" int getInferLibVersion();
