import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { LivePlayer } from '@/live/player'

import { FakeSocket, FakeSource, FakeVideo } from './fake_media'

const INIT = { type: 'init', mime: 'video/mp4', audio: '', transcode: false, epoch: 1, width: 1, height: 1, stream_time_s: 0 }

beforeEach(() => {
  vi.useFakeTimers()
  FakeSource.made = []
  FakeSocket.made = []
  vi.stubGlobal('window', globalThis)
  vi.stubGlobal('location', { protocol: 'http:', host: 'node' })
  vi.stubGlobal('document', new EventTarget())
  vi.stubGlobal('MediaSource', FakeSource)
  vi.stubGlobal('WebSocket', FakeSocket)
  vi.stubGlobal('HTMLMediaElement', { HAVE_FUTURE_DATA: 3 })
  vi.spyOn(URL, 'createObjectURL').mockReturnValue('blob:1')
  vi.spyOn(URL, 'revokeObjectURL').mockReturnValue()
  vi.spyOn(console, 'warn').mockReturnValue()
})

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

function playing(): { player: LivePlayer; video: FakeVideo; statuses: string[] } {
  const video = new FakeVideo()
  const statuses: string[] = []
  const events = { status: (status: string) => statuses.push(status), state: () => undefined }
  const player = new LivePlayer(
    video as unknown as HTMLVideoElement, 'gate', () => 'token', events, () => Promise.resolve(false),
  )
  player.start()
  FakeSocket.made[0]!.opens()
  FakeSocket.made[0]!.says(INIT)
  FakeSource.made[0]!.open()
  FakeSocket.made[0]!.gives(new ArrayBuffer(8))
  return { player, video, statuses }
}

describe('a live player that stops', () => {
  it('leaves the buffer alone whose append was interrupted', () => {
    const { player } = playing()
    const buffer = FakeSource.made[0]!.buffers[0]!
    expect(buffer.updating).toBe(true)
    player.stop()
    expect(buffer.removed).toBe(true)
    buffer.finish()
    vi.advanceTimersByTime(1000)
    expect(buffer.misused).toBe(0)
  })

  it('does not come back by itself after a failure shortly before', () => {
    const { player, statuses } = playing()
    FakeSource.made[0]!.buffers[0]!.dispatchEvent(new Event('error'))
    expect(statuses).toEqual(['broken'])
    player.stop()
    vi.advanceTimersByTime(5000)
    expect(FakeSocket.made).toHaveLength(1)
  })
})

describe('a live player whose element closed the source', () => {
  it('starts afresh instead of throwing at what brings data', () => {
    const { statuses } = playing()
    const source = FakeSource.made[0]!
    source.buffers[0]!.updating = false
    source.detach()
    FakeSocket.made[0]!.gives(new ArrayBuffer(8))
    expect(statuses).toEqual(['broken'])
    vi.advanceTimersByTime(5000)
    expect(FakeSocket.made).toHaveLength(2)
  })

  it('is not broken again by what is told late of the old source', () => {
    const { statuses } = playing()
    const old = FakeSource.made[0]!.buffers[0]!
    FakeSocket.made[0]!.says({ ...INIT, epoch: 2 })
    FakeSource.made[1]!.open()
    old.dispatchEvent(new Event('error'))
    expect(statuses).toEqual([])
    expect(FakeSource.made[1]!.readyState).toBe('open')
  })
})
