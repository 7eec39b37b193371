/** A stretch of media time in seconds. */
export interface Span {
  start: number
  end: number
}

/**
 * What a SourceBuffer holds; nothing once its source is closed. An element closes its source by itself (an error, another
 * `src`) and takes the buffer out, which may then not even be asked (Media Source Extensions, section 5: `buffered` throws
 * InvalidStateError).
 */
export function buffered(source: MediaSource | null, buffer: SourceBuffer | null): Span[] {
  if (!buffer || !source || source.readyState === 'closed') return []
  const ranges = buffer.buffered
  return Array.from({ length: ranges.length }, (_, i) => ({ start: ranges.start(i), end: ranges.end(i) }))
}
