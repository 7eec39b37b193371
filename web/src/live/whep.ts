import { Problem } from '@/api/http'
import { live } from '@/api/live'
import { backoff } from '@/live/backoff'
import { type Moment, rtpSeconds, streamTime } from '@/live/rtp'
import type { FallbackReason, LiveSource, PlayerEvents, PlayerStatus } from '@/live/source'

const GATHER_MS = 600
const FIRST_PICTURE_MS = 8000
const FROZEN_MS = 2000
const TICK_MS = 500
const MOMENT_EVERY_MS = 5000
/** Failures in a row, with no picture between them, after which the usual player takes over. */
const TRIES = 2

/** Plays a camera over WebRTC (WHEP): a third of a second less delay, and sound that MP4 cannot carry. */
export class WhepPlayer implements LiveSource {
  epoch = -1
  mime = ''
  audio = ''
  readonly transcode = false

  private connection: RTCPeerConnection | null = null
  private session = ''
  private moment: Moment | null = null
  private asked = 0
  private shown = 0
  private latestRtp = 0
  private seenAt = 0
  private openedAt = 0
  private failures = 0
  private timer = 0
  private retry = 0
  private stopped = false
  private status: PlayerStatus = 'connecting'

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly camera: string,
    private readonly events: PlayerEvents,
  ) {}

  start(): void {
    this.timer = window.setInterval(() => this.tick(), TICK_MS)
    void this.open()
  }

  stop(): void {
    this.stopped = true
    window.clearInterval(this.timer)
    window.clearTimeout(this.retry)
    this.release()
  }

  wallNow(): number | null {
    if (!this.moment || !this.latestRtp) return null
    return Date.parse(this.moment.wall) + rtpSeconds(this.moment.rtp, this.latestRtp) * 1000
  }

  timeOf(mediaTime: number, frame?: VideoFrameCallbackMetadata): number {
    this.shown += 1
    this.seenAt = performance.now()
    this.failures = 0
    const rtp = frame?.rtpTimestamp
    if (rtp === undefined) return mediaTime
    this.latestRtp = rtp
    return this.moment ? streamTime(this.moment, rtp) : -1
  }

  private set(status: PlayerStatus): void {
    if (status === this.status) return
    this.status = status
    this.events.status(status)
  }

  private async open(): Promise<void> {
    this.openedAt = performance.now()
    this.shown = 0
    if (typeof RTCPeerConnection === 'undefined') {
      this.giveUp('network')
      return
    }
    try {
      const ways = await live.ways(this.camera)
      if (this.stopped) return
      if (!ways.whep) {
        this.giveUp('off')
        return
      }
      const connection = new RTCPeerConnection({
        iceServers: ways.ice_servers,
        bundlePolicy: 'max-bundle',
      })
      this.connection = connection
      const media = new MediaStream()
      connection.ontrack = ({ track }) => media.addTrack(track)
      connection.onconnectionstatechange = () => {
        if (this.connection === connection && connection.connectionState === 'failed') this.again()
      }
      connection.addTransceiver('video', { direction: 'recvonly' })
      connection.addTransceiver('audio', { direction: 'recvonly' })
      await connection.setLocalDescription(await connection.createOffer())
      // Without a relay the server's own addresses suffice: it learns the browser's from its first packet.
      if (ways.ice_servers.length) await gathered(connection)
      if (this.connection !== connection) return
      const { answer, session } = await live.offer(this.camera, connection.localDescription?.sdp ?? '')
      if (this.connection !== connection) {
        void live.leave(session)
        return
      }
      this.session = session
      this.mime = 'video/mp4; codecs="avc1"'
      await connection.setRemoteDescription({ type: 'answer', sdp: answer })
      this.video.srcObject = media
      void this.video.play().catch(() => undefined)
    } catch (error) {
      if (this.stopped) return
      console.warn('whep', this.camera, error)
      if (error instanceof Problem && (error.code === 'unsupported_codec' || error.code === 'b_frames')) this.giveUp('codec')
      else if (error instanceof Problem && error.code === 'webrtc_off') this.giveUp('off')
      else this.again(error instanceof Problem && error.code === 'gone')
    }
  }

  /** `patient`: the camera is away, which the usual player could not mend. */
  private again(patient = false): void {
    if (this.stopped) return
    this.release()
    this.set('connecting')
    this.failures += 1
    if (!patient && this.failures >= TRIES && !this.shown) {
      this.giveUp('network')
      return
    }
    this.retry = window.setTimeout(() => void this.open(), backoff(this.failures, Math.random()))
  }

  private giveUp(reason: FallbackReason): void {
    this.stop()
    this.events.fallback?.(reason)
  }

  private release(): void {
    const { connection, session } = this
    this.connection = null
    this.session = ''
    this.moment = null
    this.epoch = -1
    this.latestRtp = 0
    connection?.close()
    if (session) void live.leave(session)
    if (this.video.srcObject) this.video.srcObject = null
  }

  private tick(): void {
    const now = performance.now()
    if (!this.session) return
    if (!this.shown) {
      if (now - this.openedAt > FIRST_PICTURE_MS) this.again()
      return
    }
    this.set(now - this.seenAt > FROZEN_MS ? 'waiting' : 'playing')
    if (now - this.asked > (this.moment ? MOMENT_EVERY_MS : TICK_MS)) {
      this.asked = now
      void this.askMoment(this.session)
    }
  }

  private async askMoment(session: string): Promise<void> {
    try {
      const moment = await live.moment(session)
      if (session !== this.session || moment.epoch < 0) return
      this.moment = moment
      this.epoch = moment.epoch
    } catch (error) {
      // The server ended the session: the camera's format changed, or it was restarted.
      if (session === this.session && error instanceof Problem && error.status === 404) this.again(true)
    }
  }
}

/** Host candidates are there within milliseconds; those of a TURN server may take longer than is worth waiting for. */
function gathered(connection: RTCPeerConnection): Promise<void> {
  if (connection.iceGatheringState === 'complete') return Promise.resolve()
  return new Promise((resolve) => {
    const timer = window.setTimeout(resolve, GATHER_MS)
    connection.addEventListener('icegatheringstatechange', () => {
      if (connection.iceGatheringState !== 'complete') return
      window.clearTimeout(timer)
      resolve()
    })
  })
}
