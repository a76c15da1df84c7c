#pragma once

/// How often this thread has called malloc(3) or calloc(3). Linking this replaces both by ones that count.
unsigned long bench_allocation_count(void);
