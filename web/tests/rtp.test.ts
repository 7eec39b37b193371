import { describe, expect, it } from 'vitest'

import { rtpSeconds, streamTime } from '@/live/rtp'

describe('RTP time', () => {
  it('counts on over its wrap, both ways', () => {
    expect(rtpSeconds(0xffff_ffff - 44_999, 45_000)).toBeCloseTo(1, 9)
    expect(rtpSeconds(45_000, 0xffff_ffff - 44_999)).toBeCloseTo(-1, 9)
    expect(rtpSeconds(7, 7)).toBe(0)
  })

  it('tells the stream time of a picture', () => {
    const moment = { epoch: 3, stream_time_s: 100, rtp: 4_294_900_000, wall: '2026-01-01T00:00:00Z' }
    expect(streamTime(moment, (4_294_900_000 + 180_000) % 2 ** 32)).toBeCloseTo(102, 9)
    expect(streamTime(moment, 4_294_900_000 - 90_000)).toBeCloseTo(99, 9)
  })
})
