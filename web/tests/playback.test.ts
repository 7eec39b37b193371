import { describe, expect, it } from 'vitest'

import { correction, nextMove } from '@/playback/clock'
import { readPiece } from '@/playback/feed'

const screen = { playableTo: 20, gap: null, over: false, waiting: false }
const hole = (to: number) => ({ ...screen, playableTo: 10, gap: { from: 5, to } })

describe('the common clock', () => {
  it('waits for whoever is loading', () => {
    expect(nextMove({ time: 10, screens: [screen, { ...screen, waiting: true }] })).toEqual({ kind: 'wait' })
  })

  it('runs while one camera has footage, and jumps to the nearest where none has', () => {
    expect(nextMove({ time: 10, screens: [screen, hole(30)] })).toEqual({ kind: 'run' })
    expect(nextMove({ time: 10, screens: [hole(40), hole(30)] })).toEqual({ kind: 'jump', to: 30 })
  })

  it('ends with the last camera', () => {
    const over = { ...screen, over: true }
    expect(nextMove({ time: 10, screens: [over, hole(30)] })).toEqual({ kind: 'jump', to: 30 })
    expect(nextMove({ time: 10, screens: [over, over] })).toEqual({ kind: 'over' })
  })
})

describe('keeping in step', () => {
  it('is gentle near the clock and leaps only when far off', () => {
    expect(correction(0.005, 1)).toEqual({ seek: false, rate: 1 })
    const late = correction(-0.1, 2)
    expect(late.seek).toBe(false)
    expect(late.rate).toBeGreaterThan(2)
    expect(correction(0.1, 2).rate).toBeLessThan(2)
    expect(correction(-5, 1).seek).toBe(true)
  })

  it('never asks for more than browsers play', () => {
    for (const drift of [-4, -1, 1, 4]) {
      expect(correction(drift, 16).rate).toBeLessThanOrEqual(16)
      expect(correction(drift, 0.5).rate).toBeGreaterThanOrEqual(0.25)
    }
  })
})

describe('a piece of the feed', () => {
  it('is a header and fragmented MP4', () => {
    const data = new Uint8Array([2, 3, 0, 0, 0, 0, 1, 2, 9, 8, 7])
    const piece = readPiece(data.buffer)!
    expect([piece.index, piece.generation, [...new Uint8Array(piece.body)]]).toEqual([3, 258, [9, 8, 7]])
  })

  it('is passed over where it is something else', () => {
    expect(readPiece(new Uint8Array([2, 0, 0, 0]).buffer)).toBeNull()
    expect(readPiece(new Uint8Array([9, 0, 0, 0, 0, 0, 0, 0, 1]).buffer)).toBeNull()
  })
})
