#ifndef CSLUICE_H
#define CSLUICE_H
#endif
