import type { Stream } from '@/api/types'

export type PlayerStatus = 'connecting' | 'playing' | 'waiting' | 'unsupported' | 'broken' | 'masked'

/** Why WebRTC cannot be had for this camera or from here. */
export type FallbackReason = 'codec' | 'network' | 'off'

export interface PlayerEvents {
  status: (status: PlayerStatus) => void
  state: (stream: Stream) => void
  /** WebRTC gave up; the usual player is to take over. */
  fallback?: (reason: FallbackReason) => void
}

/** A live picture in a video element, however it comes. */
export interface LiveSource {
  /** Of the stream time that `timeOf` tells; -1 while unknown. */
  readonly epoch: number
  /** Content type of the stream, for messages. */
  readonly mime: string
  /** Codec of the camera's sound, or empty. */
  readonly audio: string
  /** The server would encode anew what this browser cannot play. */
  readonly transcode: boolean
  start(): void
  stop(): void
  /** Wall-clock milliseconds of the picture shown, or null while unknown. */
  wallNow(): number | null
  /** Stream time (seconds) of a picture, which ties boxes to it. */
  timeOf(mediaTime: number, frame?: VideoFrameCallbackMetadata): number
}
