/** What travels between the console and the server. Times are ISO 8601 UTC, coordinates 0..1 of the picture. */

export type Point = [number, number]
export type Box = [number, number, number, number]

export interface User {
  id: string | number
  username: string
  role: string
}

export interface Session {
  access_token: string
  token_type: string
  expires_in: number
  user: User
}

export interface Analysis {
  enabled: boolean
  fps: number
  min_score: number
}

export type Condition = 'connecting' | 'live' | 'failed' | 'off'

export interface Stream {
  camera: string
  condition: Condition
  since: string
  code: string
  message: string
  codec: string
  width: number
  height: number
  fps: number
  bitrate: number
  frames: number
  frames_lost: number
  reconnects: number
  recording: boolean
  clock: string
  epoch: number
}

export type RecordMode = 'continuous' | 'scheduled' | 'event' | 'off'

export interface RecordingWindow {
  /** 0 is Monday. */
  days: number[]
  /** Minutes of the day. */
  start: number
  end: number
}

export interface RecordingPolicy {
  mode: RecordMode
  windows: RecordingWindow[]
  timezone: string
  pre_s: number
  post_s: number
  keep_days: number
  keep_gib: number
  priority: number
}

export interface CameraIn {
  id?: string
  name: string
  url: string
  username?: string | null
  password?: string | null
  enabled: boolean
  recording: Partial<RecordingPolicy>
  analysis: Analysis
  detect_url?: string
  transport?: 'auto' | 'tcp' | 'udp'
  audio?: boolean
  tls_fingerprint?: string
  revision?: number
}

export interface Camera extends Omit<CameraIn, 'password' | 'recording'> {
  id: string
  recording: RecordingPolicy
  has_password: boolean
  stream: Stream | null
  /** Signed address of the newest key frame. */
  snapshot_url: string
}

export interface ProbeIn {
  url: string
  username: string
  password?: string
  transport: 'auto' | 'tcp' | 'udp'
  tls_fingerprint: string
  /** A saved camera whose password may be used at its own address. */
  camera?: string
}

export interface ProbeStep {
  name: string
  verdict: 'ok' | 'warn' | 'fail'
  code: string
  says: string
  way_out: string
  ms: number | null
  params: Record<string, unknown>
}

export interface Probe {
  url: string
  healthy: boolean
  steps: ProbeStep[]
}

export type LineDirection = 'left_to_right' | 'right_to_left'
export type Direction = 'any' | LineDirection
export type RuleKind = 'tripwire' | 'zone' | 'fence'

export interface RuleBase {
  id: string
  camera: string
  name: string
  enabled: boolean
  level: number
  labels: string[]
  min_score: number
  min_hits: number
  anchor: 'foot' | 'centre'
  cooldown_s: number
  revision: number
}

export interface Tripwire extends RuleBase {
  kind: 'tripwire'
  line: Point[]
  direction: Direction
}

export interface Zone extends RuleBase {
  kind: 'zone'
  polygon: Point[]
  on: ('enter' | 'exit')[]
}

export interface Fence extends RuleBase {
  kind: 'fence'
  outer: Point[]
  inner: Point[]
  direction: LineDirection
  within_s: number
}

export type Rule = Tripwire | Zone | Fence
export type AlarmKind = 'tripwire' | 'zone_enter' | 'zone_exit' | 'fence'

export interface Clip {
  state: 'pending' | 'ready' | 'unavailable'
  url: string | null
  start: string | null
  duration_s: number
  note: string
}

export interface Alarm {
  id: string
  camera: string
  camera_name: string
  level: number
  state: string
  kind: AlarmKind
  rule: Rule
  rule_name: string
  label: string
  score: number
  detector: string
  track: number
  direction: string
  raised: string
  wall: string
  arrival: string
  latency_ms: number
  epoch: number
  stream_time_s: number
  point: Point
  box: Box
  /** [seconds relative to the crossing (<= 0), x, y], oldest first. */
  path: [number, number, number][]
  snapshot_url: string | null
  clip: Clip
}

export interface LedgerSpan {
  from: string
  to: string
  /** Unix seconds. */
  from_s: number
  to_s: number
  /** `recorded`, `pooled`, or why there is no footage. */
  state: string
  detail: string
}

export interface Hold {
  id: string
  camera: string
  from: string
  to: string
  reason: string
  who: string
  created: string
}

export interface Ledger {
  from: string
  to: string
  spans: LedgerSpan[]
  holds: Hold[]
  /** Seconds by state. */
  totals: Record<string, number>
  /** Recorded of what should have been, 0 to 1. */
  completeness: number | null
}

export interface ExportFile {
  name: string
  size: number
  sha256: string
  start: string
  duration_s: number
  url: string
}

export interface ExportJob {
  id: string
  camera: string
  from: string
  to: string
  state: 'queued' | 'running' | 'done' | 'failed' | 'cancelled'
  progress: number
  bytes: number
  created: string
  finished: string | null
  code: string
  message: string
  note: string
  files: ExportFile[]
}

/** A sheet of small pictures: tile n shows `start + n * step_s`. */
export interface SpriteSheet {
  start: string
  end: string
  url: string
  columns: number
  rows: number
  tile_width: number
  tile_height: number
  step_s: number
}

export interface Process {
  name: string
  state: 'running' | 'restarting' | 'stopped'
  restarts: number
  since: string
  message: string
}

export interface StorageTarget {
  name: string
  kind: 'local' | 'nas' | 's3' | 'nvr_http'
  tier: 'hot' | 'warm' | 'cold'
  /** Where it is, without any key. */
  place: string
  state: 'unknown' | 'ok' | 'failing'
  code: string
  message: string
  since: string | null
  used: number
  copies: number
  waiting: number
  waiting_bytes: number
  failed: number
  free: number | null
  total: number | null
}

export interface Storage {
  targets: StorageTarget[]
}

export interface System {
  version: string
  processes: Process[]
  detector: { name: string; model: string | null; code: string; message: string }
  disk: { free: number; total: number }
  /** How far writing is behind: 0 not at all, 4 so far that nothing is recorded. */
  pressure: { level: 0 | 1 | 2 | 3 | 4; queued_bytes: number; message: string }
  demo: boolean
}

export interface TrackBox {
  id: number
  label: string
  score: number
  box: Box
  /** False where the box is only predicted. */
  seen: boolean
}

export interface TrackFrame {
  camera: string
  epoch: number
  stream_time_s: number
  wall: string
  width: number
  height: number
  gate_open: boolean
  detector: string
  tracks: TrackBox[]
}

export interface List<T> {
  items: T[]
  total: number
}

export interface AlarmPage extends List<Alarm> {
  next: string | null
}

export interface AlarmFilter {
  camera?: string
  level?: number
  kind?: string
  from?: string
  to?: string
}

/** RFC 9457, with a stable code and its parameters. */
export interface ProblemBody {
  title?: string
  status: number
  detail: string
  code: string
  params: Record<string, unknown>
}

export type Push =
  | { type: 'ready' }
  | { type: 'alarm' | 'alarm_update'; data: Alarm }
  | { type: 'stream'; data: Stream }
  | { type: 'tracks'; data: TrackFrame }
  | { type: 'site'; revision: number }
  | { type: 'process'; data: Process }
  | { type: 'lagged'; missed: number }
