import { describe, expect, it } from 'vitest'

import type { Box, TrackFrame } from '@/api/types'
import { TrackBuffer } from '@/live/tracks'

function frame(time: number, boxes: Record<number, Box>, epoch = 1): TrackFrame {
  return {
    camera: 'gate',
    epoch,
    stream_time_s: time,
    wall: '2026-01-01T00:00:00.000Z',
    width: 1280,
    height: 720,
    gate_open: true,
    detector: 'test',
    tracks: Object.entries(boxes).map(([id, box]) => ({ id: Number(id), label: 'person', score: 0.9, box, seen: true })),
  }
}

describe('TrackBuffer', () => {
  it('interpolates between the pictures around the one shown', () => {
    const buffer = new TrackBuffer()
    buffer.push(frame(10, { 1: [0, 0, 0.2, 0.4] }))
    buffer.push(frame(10.2, { 1: [0.2, 0.2, 0.4, 0.6] }))
    const [drawn] = buffer.at(1, 10.05)
    expect(drawn!.box.map((value) => Math.round(value * 1000) / 1000)).toEqual([0.05, 0.05, 0.25, 0.45])
  })

  it('draws nothing for another epoch', () => {
    const buffer = new TrackBuffer()
    buffer.push(frame(10, { 1: [0, 0, 0.2, 0.4] }))
    expect(buffer.at(2, 10)).toEqual([])
  })

  it('drops what a new epoch makes old, and takes nothing old afterwards', () => {
    const buffer = new TrackBuffer()
    buffer.push(frame(90, { 1: [0, 0, 0.2, 0.4] }))
    buffer.push(frame(2, { 7: [0, 0, 0.2, 0.4] }, 2))
    buffer.push(frame(91, { 1: [0, 0, 0.2, 0.4] }, 1))
    expect(buffer.newest).toBe(2)
    expect(buffer.at(2, 2.1).map((drawn) => drawn.id)).toEqual([7])
  })

  it('holds a box without a successor only for a moment', () => {
    const buffer = new TrackBuffer()
    buffer.push(frame(10, { 1: [0, 0, 0.2, 0.4] }))
    expect(buffer.at(1, 10.4)).toHaveLength(1)
    expect(buffer.at(1, 10.6)).toHaveLength(0)
    expect(buffer.at(1, 9.9)).toHaveLength(0)
  })

  it('does not invent a way between pictures that are far apart', () => {
    const buffer = new TrackBuffer()
    buffer.push(frame(10, { 1: [0, 0, 0.2, 0.4] }))
    buffer.push(frame(14, { 1: [0.5, 0, 0.7, 0.4] }))
    expect(buffer.at(1, 12)).toEqual([])
  })

  it('sorts pictures that arrive out of order', () => {
    const buffer = new TrackBuffer()
    buffer.push(frame(10.4, { 1: [0.4, 0, 0.6, 0.4] }))
    buffer.push(frame(10, { 1: [0, 0, 0.2, 0.4] }))
    buffer.push(frame(10.2, { 1: [0.2, 0, 0.4, 0.4] }))
    expect(buffer.at(1, 10.1)[0]!.box[0]).toBeCloseTo(0.1)
    expect(buffer.at(1, 10.3)[0]!.box[0]).toBeCloseTo(0.3)
  })

  it('trails the feet up to the picture shown and no farther', () => {
    const buffer = new TrackBuffer()
    for (let i = 0; i <= 60; i += 1) buffer.push(frame(i * 0.2, { 1: [i * 0.01, 0, i * 0.01 + 0.1, 0.5] }))
    const trail = buffer.at(1, 6.1)[0]!.trail
    expect(trail.at(-1)![0]).toBeCloseTo(0.305 + 0.05)
    expect(trail[0]![0]).toBeGreaterThanOrEqual(0.15 + 0.05)
    expect(trail.every((point) => point[1] === 0.5)).toBe(true)
  })

  it('forgets what is long past', () => {
    const buffer = new TrackBuffer()
    buffer.push(frame(0, { 1: [0, 0, 0.2, 0.4] }))
    buffer.push(frame(100, { 1: [0, 0, 0.2, 0.4] }))
    expect(buffer.at(1, 0)).toEqual([])
  })
})
