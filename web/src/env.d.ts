/// <reference types="vite/client" />

/** Safari on phones has this one only. */
declare const ManagedMediaSource: typeof MediaSource | undefined
