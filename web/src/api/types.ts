/** What travels between the console and the server. Times are ISO 8601 UTC, coordinates 0..1 of the picture. */

export type Point = [number, number]
export type Box = [number, number, number, number]

export interface User {
  id: string | number
  username: string
  full_name: string
  role: string
  /** What the role allows, at some camera at least. */
  actions: string[]
  /** What it allows at every camera. */
  everywhere: string[]
  all_cameras: boolean
  totp_enrolment: boolean
}

export interface Session {
  access_token: string
  token_type: string
  expires_in: number
  /** Seconds for which it can be renewed. */
  session_s: number
  user: User
}

export type Doubt = 'still' | 'light' | 'weather' | 'size' | 'speed' | 'headlights' | 'animal' | 'sway'

/** What may speak against an alarm: all but the ignored ones. */
export interface DoubtSettings {
  enabled: boolean
  ignored: Doubt[]
}

/** What is looked for in a camera's own picture; `level` 0: no alarm. */
export interface HealthSettings {
  enabled: boolean
  ignored: Ailment[]
  level: number
}

export interface Analysis {
  enabled: boolean
  fps: number
  min_score: number
  /** Takes the camera's own shaking out. */
  steady: boolean
  /** Horses or cattle are about. */
  livestock: boolean
  doubts: DoubtSettings
  health: HealthSettings
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
  /** What is left out stays as it is. */
  analysis: Pick<Analysis, 'enabled' | 'fps' | 'min_score'> & Partial<Analysis>
  detect_url?: string
  transport?: 'auto' | 'tcp' | 'udp'
  audio?: boolean
  tls_fingerprint?: string
  /** Null: none; left out: as it is. */
  ground?: Pick<Ground, 'points'> | null
  revision?: number
}

/** The same place in the picture and on the plan, in metres: x east, y north. */
export interface GroundPoint {
  picture: Point
  site: Point
}

export interface Ground {
  points: GroundPoint[]
  error_m: number
}

export type Ailment = 'no_signal' | 'frozen' | 'dark' | 'covered' | 'glare' | 'moved' | 'blurred'

/** One trouble of a camera's picture from its beginning to its end. */
export interface Spell {
  id: string
  ailment: Ailment
  began: string
  ended: string | null
}

export interface Health {
  camera: string
  /** False where nothing was heard for a while. */
  watched: boolean
  /** Its usual view is known. */
  ready: boolean
  spells: Spell[]
}

export interface Camera extends Omit<CameraIn, 'password' | 'recording' | 'analysis' | 'ground'> {
  id: string
  analysis: Analysis
  ground: Ground | null
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
export type RuleKind =
  | 'tripwire'
  | 'zone'
  | 'fence'
  | 'loiter'
  | 'wrong_way'
  | 'count'
  | 'line_count'
  | 'left_object'
export type Arming = 'scheduled' | 'armed' | 'disarmed'
export type LengthUnit = 'share' | 'heights' | 'm'

export interface SpecialDay {
  /** `YYYY-MM-DD` in the schedule's zone. */
  date: string
  counts_as: 'day_off' | 'working'
}

export interface Schedule {
  /** One whose end is not after its start ends on the next day. */
  windows: RecordingWindow[]
  timezone: string
  special: SpecialDay[]
  day_off_like: number
  working_like: number
}

/** Hours that rules, tasks and channels name; `rules` and `tasks`: how many within reach do. */
export interface NamedSchedule {
  id: string
  name: string
  schedule: Schedule
  rules: number
  tasks: number
  /** Those that may be seen; `parts`: what of them goes by it. */
  channels: { id: string; name: string; parts: ('route' | 'quiet')[] }[]
  revision: number
}

export interface RuleBase {
  id: string
  camera: string
  name: string
  enabled: boolean
  level: number
  labels: string[]
  min_score: number
  min_hits: number
  of_pictures: number
  anchor: 'foot' | 'centre'
  cooldown_s: number
  rule_cooldown_s: number
  min_height: number
  max_height: number
  height_unit: 'share' | 'px' | 'm'
  min_speed: number
  max_speed: number
  speed_unit: 'heights' | 'm'
  band: number
  band_px: number
  schedule: Schedule | null
  /** The named schedule that counts instead. */
  schedule_id: string | null
  arming: Arming
  one_shot: boolean
  rearm_after_s: number
  condition: string
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
  on: ('enter' | 'exit' | 'inside')[]
  stay_s: number
  every_s: number
}

export interface Fence extends RuleBase {
  kind: 'fence'
  outer: Point[]
  /** Empty where `depth` beyond the outer line counts. */
  inner: Point[]
  between?: Point[][]
  depth: number
  depth_unit: LengthUnit
  direction: LineDirection
  within_s: number
}

export interface Loiter extends RuleBase {
  kind: 'loiter'
  polygon: Point[]
  stay_s: number
  radius: number
  radius_unit: LengthUnit
  forgive_s: number
  every_s: number
}

export interface WrongWay extends RuleBase {
  kind: 'wrong_way'
  polygon: Point[]
  way: Point[]
  tolerance_deg: number
  distance: number
  distance_unit: LengthUnit
  least_s: number
}

export interface Count extends RuleBase {
  kind: 'count'
  polygon: Point[]
  at_least: number | null
  at_most: number | null
  for_s: number
  forgive_s: number
  every_s: number
}

export interface LineCount extends RuleBase {
  kind: 'line_count'
  line: Point[]
  direction: Direction
  each: number
  every_s: number
}

export interface LeftObject extends RuleBase {
  kind: 'left_object'
  polygon: Point[]
  stay_s: number
  settle_s: number
  forgive_s: number
  still: number
}

export type Rule = Tripwire | Zone | Fence | Loiter | WrongWay | Count | LineCount | LeftObject

export interface RuleState {
  rule: string
  judged: boolean
  events: number
  /** By reason: what looked like an event and was none. */
  suppressed: Record<string, number>
  left_to_right: number
  right_to_left: number
  since: string | null
  spent: boolean
}

export interface ConditionCheck {
  valid: boolean
  message: string
  /** From 1; 0 where it is not known. */
  column: number
}

export type AlarmKind = Exclude<RuleKind, 'zone'> | 'zone_enter' | 'zone_exit' | 'zone_inside' | 'health'

/** `text` is the server's English sentence; without a code: told by an earlier version. */
export interface Remark {
  code: string
  params: Record<string, string | number>
  text: string
}

export interface Clip {
  state: 'pending' | 'ready' | 'unavailable'
  url: string | null
  start: string | null
  duration_s: number
  note: string
  remarks: Remark[]
}

export type AlarmState = 'new' | 'acknowledged' | 'confirmed' | 'dismissed' | 'closed'
/** What one alarm of many said to a step; `code` and `detail` where it refused. */
export interface Outcome {
  id: string
  done: boolean
  code: string
  detail: string
  alarm: Alarm | null
}

export interface BulkStep {
  step: 'acknowledge' | 'dismiss' | 'close' | 'assign'
  reason?: string
  comment?: string
  assignee?: string
}

export type AlarmStep = 'acknowledge' | 'confirm' | 'dismiss' | 'close' | 'reopen'

/** One link of the chain of alarm records. */
export interface Happening {
  number: number
  at: string
  kind: string
  body: Record<string, string | number>
  hash: string
}

/** What was measured, 0 or null where it was not; `scores` least, median, most; `remarks`: what could not be told. */
export interface Explained {
  height: number
  height_m: number | null
  speed: number
  speed_mps: number | null
  scores: [number, number, number]
  evidence: [number, number]
  stayed_s: number
  count: number
  totals: [number, number]
  weighed: string[]
  remarks: Remark[]
}

export interface Alarm {
  id: string
  camera: string
  camera_name: string
  level: number
  state: AlarmState
  /** What a step must have seen. */
  revision: number
  allowed: AlarmStep[]
  verdict: '' | 'confirmed' | 'dismissed'
  reason: string
  assignee: { id: string; name: string } | null
  group: string
  comments: number
  escalations: number
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
  explained: Explained
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
  remarks: Remark[]
  files: ExportFile[]
}

/** What a trial on recordings would have raised. `match`: the real alarm that it stands for, or null. */
export interface ShadowAlarm {
  id: string
  kind: AlarmKind
  rule: Rule
  level: number
  label: string
  score: number
  wall: string
  direction: string
  point: Point
  box: Box
  path: [number, number, number][]
  match: string | null
  snapshot_url: string
}

export interface SparedAlarm {
  id: string
  kind: AlarmKind
  rule: string
  rule_name: string
  label: string
  wall: string
  snapshot_url: string
}

/** A trial; figures and lists come with `done`. */
export interface ShadowJob {
  id: string
  camera: string
  from: string
  to: string
  state: 'queued' | 'running' | 'done' | 'failed'
  progress: number
  created: string
  code: string
  message: string
  detector?: string
  footage_s?: number
  missing_s?: number
  speed?: number | null
  would?: number
  raised?: number
  new?: number
  spared?: number
  /** By rule and reason. */
  suppressed?: Record<string, Record<string, number>>
  alarms?: ShadowAlarm[]
  spared_alarms?: SparedAlarm[]
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

/** The alarms of one intrusion within reach: `open` of them are not decided, `level` is the most urgent. */
export interface Intrusion {
  id: string
  count: number
  open: number
  first: string
  last: string
  level: number
  cameras: string[]
}

export interface AlarmRow extends Alarm {
  /** Where alarms were asked for by intrusion: this is its newest. */
  intrusion: Intrusion | null
}

export interface AlarmPage extends List<AlarmRow> {
  /** False: there are at least `total`. */
  total_exact: boolean
  next: string | null
}

export interface AlarmFilter {
  camera?: string
  rule?: string
  level?: number
  kind?: string
  state?: AlarmState
  reason?: string
  /** An account's id, `me` or `none`. */
  assignee?: string
  group?: string
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

/** What numbers a message: this start of the server, and a count that grows by one. */
export interface Numbered {
  boot: string
  seq: number
}

type Told =
  | { type: 'alarm' | 'alarm_update'; data: Alarm }
  | { type: 'stream'; data: Stream }
  | { type: 'health'; data: Health }
  | { type: 'site'; revision: number }
  | { type: 'process'; data: Process }
  | { type: 'task'; data: { id: string; camera: string } }

export type Push =
  | ({ type: 'ready' } & Numbered)
  | ({ type: 'subscribed' | 'resumed' | 'reset'; topics: string[] } & Numbered)
  | (Told & Partial<Numbered>)
  | { type: 'tracks'; data: TrackFrame }
  | { type: 'lagged'; missed: number; topics?: string[]; from?: number; to?: number }
