/** Calls `draw` for every new picture with its media time; returns what stops it. */
export function onEachFrame(video: HTMLVideoElement, draw: (mediaTime: number, frame?: VideoFrameCallbackMetadata) => void): () => void {
  let handle = 0
  let stopped = false
  if ('requestVideoFrameCallback' in video) {
    const next = (_now: number, frame: VideoFrameCallbackMetadata): void => {
      if (stopped) return
      draw(frame.mediaTime, frame)
      handle = video.requestVideoFrameCallback(next)
    }
    handle = video.requestVideoFrameCallback(next)
    return () => {
      stopped = true
      video.cancelVideoFrameCallback(handle)
    }
  }
  const element = video as HTMLVideoElement
  const next = (): void => {
    if (stopped) return
    draw(element.currentTime)
    handle = requestAnimationFrame(next)
  }
  handle = requestAnimationFrame(next)
  return () => {
    stopped = true
    cancelAnimationFrame(handle)
  }
}
