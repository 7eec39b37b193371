import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { Deck } from '@/playback/deck'
import { Feed, type FeedMessage } from '@/playback/feed'
import { Screen } from '@/playback/screen'

import { FakeSocket, FakeSource, FakeVideo } from './fake_media'
import { chunk } from './fake_mp4'

const ORIGIN = Date.parse('2026-11-27T10:00:00Z')
const FROM = ORIGIN + 3_600_000

beforeEach(() => {
  FakeSource.made = []
  FakeSocket.made = []
  vi.stubGlobal('window', globalThis)
  vi.stubGlobal('location', { protocol: 'http:', host: 'node' })
  vi.stubGlobal('MediaSource', FakeSource)
  vi.stubGlobal('WebSocket', FakeSocket)
  vi.spyOn(URL, 'createObjectURL').mockReturnValue('blob:1')
  vi.spyOn(URL, 'revokeObjectURL').mockReturnValue()
})

afterEach(() => {
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

describe('the feed', () => {
  function fed(at: number): { feed: Feed; socket: FakeSocket; generations: number[] } {
    const generations: number[] = []
    const message = (said: FeedMessage): void => {
      if (said.type === 'position') generations.push(said.generation)
    }
    const feed = new Feed(
      { cameras: ['gate'], from: FROM, to: FROM + 600_000, at, speed: 1 },
      () => 'token', { message, data: () => undefined, closed: () => undefined }, () => Promise.resolve(false),
    )
    const socket = FakeSocket.made[0]!
    socket.opens()
    socket.says({ type: 'opened', generation: 0, origin: new Date(ORIGIN).toISOString(), cameras: ['gate'] })
    return { feed, socket, generations }
  }
  const position = (generation: number, media_s: number) => ({ type: 'position', generation, media_s })

  it('passes over a position that was asked for before the last seek', () => {
    const { feed, socket, generations } = fed(FROM)
    socket.says(position(0, 3600))
    feed.speed(8)
    feed.seek(FROM + 30_000.4)
    socket.says(position(1, 3604.2))
    socket.says(position(2, 3630))
    expect(generations).toEqual([0, 2])
  })

  it('takes what comes of a change of speed alone', () => {
    const { feed, socket, generations } = fed(FROM)
    socket.says(position(0, 3600))
    feed.speed(8)
    socket.says(position(1, 3604.2))
    expect(generations).toEqual([0, 1])
  })

  it('begins where it is to begin, and knows that nothing is outside its range', () => {
    const { feed, socket, generations } = fed(FROM + 60_000)
    socket.says(position(0, 3600))
    socket.says(position(1, 3660))
    feed.seek(FROM - 5000)
    socket.says(position(2, 3600))
    feed.seek(FROM + 900_000)
    socket.says(position(3, 4200))
    expect(generations).toEqual([1, 2, 3])
  })
})

describe('a screen whose element closed the source', () => {
  it('is asked like one that has nothing, and throws at nobody', () => {
    const screen = new Screen(new FakeVideo() as unknown as HTMLVideoElement, () => undefined)
    screen.restart(0, 10)
    screen.init('video/mp4')
    const source = FakeSource.made[0]!
    source.open()
    screen.push(new ArrayBuffer(8))
    const buffer = source.buffers[0]!
    buffer.span = [9, 20]
    buffer.finish()
    expect([screen.entry(8.8), screen.playableTo(10), screen.state(10)]).toEqual([9.001, 20, 'ready'])
    source.detach()
    screen.push(new ArrayBuffer(8))
    buffer.finish()
    screen.tick()
    expect([screen.entry(8.8), screen.playableTo(10), screen.state(10)]).toEqual([8.8, 10, 'loading'])
  })
})

describe('a screen that is sent elsewhere before its source is open', () => {
  it('throws nothing away and shows what comes', () => {
    const screen = new Screen(new FakeVideo() as unknown as HTMLVideoElement, () => undefined)
    screen.restart(0, 10)
    screen.init('video/mp4')
    screen.push(new ArrayBuffer(8))
    screen.restart(1, 40)
    screen.init('video/mp4')
    screen.push(new ArrayBuffer(16))
    const source = FakeSource.made[0]!
    source.open()
    const buffer = source.buffers[0]!
    buffer.span = [39, 50]
    buffer.finish()
    expect([buffer.appended, screen.state(40), FakeSource.made.length]).toEqual([16, 'ready', 1])
  })
})

describe('one frame on', () => {
  it('is one frame of the footage, however few of them the machine showed', () => {
    let shows: (now: number, frame: { mediaTime: number }) => void = () => undefined
    const video = Object.assign(new FakeVideo(), { requestVideoFrameCallback: (told: typeof shows) => (shows = told) })
    const deck = new Deck(
      [video as unknown as HTMLVideoElement], { cameras: ['gate'], from: FROM, to: FROM + 60_000, at: FROM, speed: 1 },
      () => 'token', { changed: () => undefined, skipped: () => undefined, refused: () => Promise.resolve(false) },
    )
    const socket = FakeSocket.made[0]!
    socket.opens()
    socket.says({ type: 'opened', generation: 0, origin: new Date(ORIGIN).toISOString(), cameras: ['gate'] })
    socket.says({ type: 'position', generation: 0, media_s: 3600 })
    socket.says({ type: 'init', generation: 0, index: 0, mime: 'video/mp4', media_s: 3600 })
    FakeSource.made[0]!.open()
    const media = chunk(3600 * 90_000, Array.from({ length: 100 }, () => [3600, 0]))
    socket.gives(new Uint8Array([2, 0, 0, 0, 0, 0, 0, 0, ...media]).buffer)
    const buffer = FakeSource.made[0]!.buffers[0]!
    buffer.span = [3600, 3604]
    buffer.finish()
    const steps = (...by: (1 | -1)[]): number[] =>
      by.map((one) => {
        deck.step(one)
        return Math.round((video.currentTime - 3600) * 1000)
      })
    shows(0, { mediaTime: 3603.2 })
    expect(steps(1)).toEqual([60])
    for (const mediaTime of [3600, 3600.2, 3600.4]) shows(0, { mediaTime })
    expect(steps(1, 1, 1, -1)).toEqual([460, 500, 540, 500])
    deck.close()
  })
})
