#pragma once

// Nothing to call: see CSanitize.c.
