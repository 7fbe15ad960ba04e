// Ctrl-C, so that what was measured so far can be written.
#pragma once

namespace trisect {

/// From now on the first SIGINT or SIGTERM only sets a flag; a second one ends the program as usual.
void watch_interrupts();

/// True after the first signal. Cheap enough for inner loops.
bool interrupted();

}  // namespace trisect
