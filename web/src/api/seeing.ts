/** What cameras are seen with, how they are themselves, their ground, and the ways of what moves. */
import { request, upload, withQuery } from '@/api/http'
import type { Analysis, Camera, CameraIn, Ground, GroundPoint, Health, List, Spell } from '@/api/types'

const id = encodeURIComponent

export interface ModelTest {
  family: string
  width: number
  height: number
  classes: string[]
  /** Boxes on the drawn picture. */
  found: number
  ms: number
}

export interface Model {
  id: string
  name: string
  version: string
  size: number
  enabled: boolean
  sha256: string
  added: string | null
  who: string
  licence: string
  source: string
  test: ModelTest | null
}

export interface KnownModel {
  name: string
  title: string
  size: number
  licence: string
  classes: string
  installed: boolean
}

export interface ModelChange {
  action: 'add' | 'test' | 'enable' | 'rollback' | 'remove'
  model: string
  who: string
  when: string
}

export interface Models {
  items: Model[]
  catalogue: KnownModel[]
  /** Newest first. */
  history: ModelChange[]
  enabled: string
  in_use: string
  provider: string
  code: string
  message: string
}

export interface HeldBack {
  since: string | null
  /** By doubt. */
  counts: Record<string, number>
  samples: { doubt: string; wall: string; label: string; score: number; picture: string | null }[]
}

/** What a calibration comes to: `matrix` (3 x 3, row by row) takes shares of the picture to metres. */
export interface GroundFit {
  matrix: number[]
  error_m: number
  missed_m: number[]
}

/** The way of one object: [seconds since `start`, x, y] of its foot. */
export interface Way {
  id?: number
  camera: string
  epoch: number
  track: number
  label: string
  score: number
  hits: number
  start: string
  end: string
  path: [number, number, number][]
  /** Of who moves now, where the ground is calibrated. */
  metres_per_s?: number | null
}

export interface WayFilter {
  camera: string
  label?: string
  from: string
  to: string
  /** left,top,right,bottom as shares of the picture */
  region?: string
}

const PROVIDERS: Record<string, string> = { cpu: 'CPU', cuda: 'CUDA', tensorrt: 'TensorRT', openvino: 'OpenVINO' }

/** What computes, as its makers write it. */
export const providerName = (provider: string): string => PROVIDERS[provider] ?? provider

export const models = {
  read: () => request<Models>('GET', '/api/models'),
  /** `card` is JSON in ASCII, or empty. */
  add: (file: Blob, name: string, version: string, card: string) =>
    upload<Model>(withQuery('/api/models', { name, version, card }), file),
  enable: (model: string) => request<Model>('POST', `/api/models/${id(model)}/enable`),
  test: (model: string) => request<Model>('POST', `/api/models/${id(model)}/test`),
  rollBack: () => request<{ enabled: string }>('POST', '/api/models/rollback'),
  remove: (model: string) => request<void>('DELETE', `/api/models/${id(model)}`),
}

export const health = {
  of: (camera: string) =>
    request<{ now: Health; items: Spell[] }>('GET', withQuery(`/api/cameras/${id(camera)}/health`, { limit: 50 })),
  acceptView: (camera: string) => request<Health>('POST', `/api/cameras/${id(camera)}/health/view`),
  heldBack: (camera: string) => request<HeldBack>('GET', `/api/cameras/${id(camera)}/suppressed`),
}

/** The address of the picture of a moment; it needs the token. */
export const moment = (camera: string, at: string, width: number): string =>
  withQuery(`/api/video/thumbnail/${id(camera)}`, { at, width })

/** A camera as it is: its password and its ground, left out, stay. Refused where somebody has changed it meanwhile. */
function asItIs(camera: Camera): CameraIn {
  const { name, url, username, enabled, recording, analysis, detect_url, transport, audio, tls_fingerprint, revision } = camera
  return { name, url, username, enabled, recording, analysis, detect_url, transport, audio, tls_fingerprint, revision }
}

export const withGround = (camera: Camera, points: GroundPoint[] | null): CameraIn => ({
  ...asItIs(camera),
  ground: points && { points },
})

export const withAnalysis = (camera: Camera, analysis: Analysis): CameraIn => ({ ...asItIs(camera), analysis })

export const ground = {
  fit: (camera: string, points: Ground['points'], signal: AbortSignal) =>
    request<GroundFit>('POST', `/api/cameras/${id(camera)}/ground/fit`, { points }, signal),
}

export const ways = {
  live: (camera: string, signal: AbortSignal) =>
    request<List<Way>>('GET', withQuery('/api/tracks/live', { camera }), undefined, signal),
  page: (filter: WayFilter, limit: number, before: number | undefined, signal: AbortSignal) =>
    request<{ items: Way[]; next: number | null }>('GET', withQuery('/api/tracks', { ...filter, limit, before }), undefined, signal),
}
