import { describe, expect, it } from 'vitest'

import { withAnalysis, withGround } from '@/api/seeing'
import type { Analysis, Camera, Doubt } from '@/api/types'
import { fpsRange, ignoring, merged, placeOf } from '@/watched/settings'

const ANALYSIS: Analysis = {
  enabled: true,
  fps: 6,
  min_score: 0.3,
  steady: false,
  livestock: false,
  doubts: { enabled: true, ignored: ['sway'] },
  health: { enabled: true, ignored: ['blurred', 'dark'], level: 4 },
}

const CAMERA: Camera = {
  id: 'gate',
  name: 'Gate',
  url: 'rtsp://camera/1',
  username: 'viewer',
  has_password: true,
  enabled: true,
  recording: { mode: 'event', windows: [], timezone: '', pre_s: 10, post_s: 20, keep_days: 30, keep_gib: 0, priority: 0 },
  analysis: ANALYSIS,
  detect_url: 'rtsp://camera/2',
  transport: 'tcp',
  audio: false,
  tls_fingerprint: '',
  ground: { points: [], error_m: 0 },
  revision: 7,
  stream: null,
  snapshot_url: '',
}

describe('a camera that is watched otherwise', () => {
  it('keeps everything else, and leaves its password and its ground out', () => {
    const livestock = { ...ANALYSIS, livestock: true }
    const { id, has_password, stream, snapshot_url, ground, ...rest } = CAMERA
    void [id, has_password, stream, snapshot_url, ground]
    expect(withAnalysis(CAMERA, livestock)).toEqual({ ...rest, analysis: livestock })
    expect(withGround(CAMERA, null)).toEqual({ ...rest, ground: null })
  })
})

describe('changes of two people', () => {
  it('are both there, and mine count where they contradict', () => {
    const mine: Analysis = {
      ...ANALYSIS,
      fps: 10,
      doubts: { enabled: true, ignored: ['sway', 'animal'] },
      health: { enabled: true, ignored: ['dark'], level: 2 },
    }
    const theirs: Analysis = {
      ...ANALYSIS,
      fps: 12,
      steady: true,
      doubts: { enabled: false, ignored: [] },
      health: { enabled: true, ignored: ['blurred', 'dark', 'glare'], level: 4 },
    }
    expect(merged(ANALYSIS, mine, theirs)).toEqual({
      ...ANALYSIS,
      fps: 10,
      steady: true,
      doubts: { enabled: false, ignored: ['animal'] },
      health: { enabled: true, ignored: ['dark', 'glare'], level: 2 },
    })
  })

  it('are theirs where I changed nothing', () => {
    const theirs: Analysis = { ...ANALYSIS, enabled: false, doubts: { enabled: true, ignored: ['light', 'size'] } }
    expect(merged(ANALYSIS, ANALYSIS, theirs)).toEqual(theirs)
  })
})

describe('what is ignored', () => {
  it('takes one in once, lets it go, and keeps what it does not know', () => {
    const later = 'shadow' as Doubt
    expect(ignoring<Doubt>([later], 'sway', false)).toEqual([later, 'sway'])
    expect(ignoring<Doubt>([later, 'sway'], 'sway', false)).toEqual([later, 'sway'])
    expect(ignoring<Doubt>([later, 'sway'], 'sway', true)).toEqual([later])
  })
})

describe('numbers', () => {
  it('that a camera has already stay possible', () => {
    expect(fpsRange(6)).toEqual({ min: 0.5, max: 30 })
    expect(fpsRange(0.2)).toEqual({ min: 0.2, max: 30 })
    expect(fpsRange(60)).toEqual({ min: 0.5, max: 60 })
  })
})

describe('what the server finds wrong', () => {
  it('is told where it can be mended, or above all', () => {
    expect(placeOf('analysis.fps')).toEqual({ part: 'analysis', name: 'fps' })
    expect(placeOf('analysis.health.level')).toEqual({ part: 'health', name: 'health.level' })
    expect(placeOf('analysis.doubts.ignored.0')).toBeNull()
    expect(placeOf('url')).toBeNull()
  })
})
