#include "audio2x.h"
