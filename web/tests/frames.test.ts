import { describe, expect, it } from 'vitest'

import { FrameTimes, framesOf } from '@/media/frames'

import { chunk, joined } from './fake_mp4'

const TICK = 90_000

describe('frames of fragmented MP4', () => {
  it('are told in the order in which they are shown, each with how long', () => {
    const begin = 3600 * TICK + 2 ** 33
    const data = joined(
      chunk(begin, [[3000, 3000], [3000, 9000], [3000, 0]]),
      chunk(begin + 9000, [[6000, 0], [6000, 0]]),
    )
    const found = framesOf(data).map(({ start, end }) => [start * TICK - begin, (end - start) * TICK].map(Math.round))
    expect(found).toEqual([[3000, 3000], [6000, 3000], [9000, 6000], [12000, 3000], [15000, 6000]])
  })

  it('are those of the picture alone, and nothing is made of nonsense', () => {
    expect(framesOf(joined(chunk(0, [[3000, 0]], 2)))).toEqual([])
    expect(framesOf(new ArrayBuffer(5))).toEqual([])
    const broken = chunk(0, [[3000, 0]])
    new DataView(broken.buffer).setUint32(16 + 8 + 8 + 16 + 20 + 12, 1_000_000)
    expect(framesOf(joined(broken)).length).toBeLessThanOrEqual(1)
  })
})

describe('going from frame to frame', () => {
  const times = new FrameTimes()
  // 25 a second, then 5 a second.
  times.add(joined(chunk(0, [[3600, 0], [3600, 0], [3600, 0]])))
  times.add(joined(chunk(10_800, [[18_000, 0], [18_000, 0]])))

  it('hits the middle of the next one at any rate', () => {
    expect(times.beside(0.04, 1)).toBeCloseTo(0.1, 6)
    expect(times.beside(0.06, 1)).toBeCloseTo(0.1, 6)
    expect(times.beside(0.1, 1)).toBeCloseTo(0.22, 6)
    expect(times.beside(0.22, 1)).toBeCloseTo(0.42, 6)
    expect(times.beside(0.22, -1)).toBeCloseTo(0.1, 6)
  })

  it('takes a time that is a hair before a frame for that frame', () => {
    expect(times.beside(0.0799995, 1)).toBeCloseTo(0.22, 6)
  })

  it('knows nothing before the first and after the last', () => {
    expect(times.beside(0.03, -1)).toBeNull()
    expect(times.beside(0.42, 1)).toBeNull()
    times.clear()
    expect(times.beside(0.1, 1)).toBeNull()
  })
})
