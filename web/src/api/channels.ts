/** Channels and deliveries as they travel between the console and the server. */
import type { Schedule } from '@/api/types'

export type ChannelKind = 'http' | 'webhook' | 'dingtalk' | 'wecom' | 'feishu' | 'email' | 'mqtt'
export type Topic = 'raised' | 'clip' | 'update'
export type Outcome = 'accepted' | 'transient' | 'rate' | 'setup' | 'content'
export type DeliveryState = 'held' | 'waiting' | 'leased' | 'delivered' | 'dead' | 'skipped'

/** What its kind asks for; `channels/kinds.ts` lists it. */
export type Target = { kind: ChannelKind } & Record<string, unknown>

export interface Quiet {
  schedule: Schedule | null
  /** The named schedule that counts instead. */
  schedule_id: string | null
  then: 'hold' | 'digest' | 'drop'
  /** Alarms of this level and more urgent ones are told all the same; 0: none. */
  urgent: number
}

/** Cameras that belong together: a site, a building, a floor. */
export interface CameraGroup {
  id: string
  name: string
}

/** Empty lists mean all. */
export interface ChannelRoute {
  topics: Topic[]
  levels: number[]
  cameras: string[]
  /** By id: a camera that is named, or in one of these, is meant. */
  groups: string[]
  kinds: string[]
  rules: string[]
  schedule: Schedule | null
  schedule_id: string | null
  quiet: Quiet | null
}

export type PaceField = 'per_minute' | 'parallel' | 'digest_after' | 'first_retry_s' | 'most_retry_s' | 'give_up_s'
/** null: as suits the kind. */
export type Pace = Record<PaceField, number | null>

export interface ChannelIn {
  id?: string
  name: string
  enabled: boolean
  language: 'en' | 'zh'
  /** IANA name of the zone in which people read times; empty: UTC. */
  timezone: string
  target: Target
  route: ChannelRoute
  pace: Pace
  /** Those not named stay as they are, null forgets. */
  secrets: Record<string, string | null>
}

export interface Channel extends Omit<ChannelIn, 'secrets'> {
  id: string
  /** The pace with everything said. */
  tempo: Record<PaceField, number>
  secrets: Record<string, { set: boolean }>
  /** Why it does not deliver, or empty. */
  trouble: string
  /** Not tried before. */
  paused_until: string | null
  revision: number
}

/** What the receiver answered, as it did. */
export interface Trial {
  accepted: boolean
  outcome: Outcome
  /** Of HTTP; 0 where there was none. */
  status: number
  answer: string
  reason: string
  took_ms: number
}

export interface Delivery {
  number: number
  channel: string
  alarm: string
  camera: string
  topic: Topic
  key: string
  sequence: number
  state: DeliveryState
  attempts: number
  created: string
  changed: string
  due: string | null
  status: number
  answer: string
  reason: string
  took_ms: number
}

export interface DeliveryPage {
  items: Delivery[]
  next: number | null
}

export interface DeliveryFilter {
  channel?: string | undefined
  state?: DeliveryState | undefined
}
