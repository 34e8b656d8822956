"""Print the mean of the numbers on the command line."""

import sys

import numpy

print(numpy.mean([float(word) for word in sys.argv[1:]]))
