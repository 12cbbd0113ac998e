// Holds the precompiled headers that every folder reuses.
