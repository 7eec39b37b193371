import { describe, expect, it } from 'vitest'

import type { Point } from '@/api/types'
import { across, contain, halfWay, inside, place, toSegment, unplace } from '@/draw/geometry'

describe('contain', () => {
  it('letterboxes a narrow picture and a wide one', () => {
    expect(contain(4, 3, 1600, 900)).toEqual({ x: 200, y: 0, width: 1200, height: 900 })
    expect(contain(32, 9, 1600, 900)).toEqual({ x: 0, y: 225, width: 1600, height: 450 })
  })

  it('takes the whole box while the picture is unknown', () => {
    expect(contain(0, 0, 100, 50)).toEqual({ x: 0, y: 0, width: 100, height: 50 })
  })
})

describe('place and unplace', () => {
  const rect = { x: 20, y: 10, width: 200, height: 100 }

  it('are each other turned round', () => {
    for (const point of [[0, 0], [1, 1], [0.3, 0.8]] as Point[]) {
      const back = unplace(place(point, rect), rect)
      expect(back[0]).toBeCloseTo(point[0])
      expect(back[1]).toBeCloseTo(point[1])
    }
  })

  it('keep points inside the picture', () => {
    expect(unplace([-50, 500], rect)).toEqual([0, 1])
  })
})

describe('across', () => {
  it('has the right hand of somebody who walks to the right point down, as the server has it', () => {
    expect(across([0, 0], [10, 0], 'left_to_right')).toEqual([-0, 1])
    expect(across([0, 0], [10, 0], 'right_to_left')).toEqual([0, -1])
  })

  it('turns round with the drawing order', () => {
    expect(across([10, 0], [0, 0], 'left_to_right')[1]).toBe(-1)
  })
})

describe('lines', () => {
  it('have their middle by length, not by count of points', () => {
    const { point, segment } = halfWay([[0, 0], [10, 0], [100, 0]])
    expect(point[0]).toBeCloseTo(50)
    expect(segment).toBe(1)
  })

  it('measure the distance to the segment, not to its line', () => {
    expect(toSegment([15, 0], [0, 0], [10, 0])).toBe(5)
    expect(toSegment([5, 3], [0, 0], [10, 0])).toBe(3)
    expect(toSegment([3, 4], [0, 0], [0, 0])).toBe(5)
  })

  it('know inside from outside', () => {
    const square: Point[] = [[0, 0], [1, 0], [1, 1], [0, 1]]
    expect(inside([0.5, 0.5], square)).toBe(true)
    expect(inside([1.5, 0.5], square)).toBe(false)
  })
})
