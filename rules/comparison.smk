# tbd
