import { request, withQuery } from '@/api/http'
import type { AlarmKind, Remark } from '@/api/types'

const id = encodeURIComponent

export type EvidenceKind = 'clean' | 'annotated' | 'clip'

/** `sha256` empty: there is no file, and `remarks` say why. */
export interface Evidence {
  kind: EvidenceKind
  size: number
  sha256: string
  made: string
  note: string
  remarks: Remark[]
  url: string | null
}

export interface EvidenceCheck {
  intact: boolean
  items: { kind: EvidenceKind; finding: 'intact' | 'changed' | 'missing' | 'absent'; message: string }[]
}

/** An archive that is made, or was. `url` comes with `done`; `masked`: pictures in it have privacy masks. */
export interface Archive {
  id: string
  alarms: string[]
  state: 'queued' | 'running' | 'done' | 'failed' | 'cancelled'
  progress: number
  created: string
  code: string
  message: string
  note: string
  remarks: Remark[]
  masked: boolean
  name: string | null
  size: number
  sha256: string | null
  url: string | null
}

export interface SiteKey {
  algorithm: string
  /** SHA-256 of the public key's 32 bytes. */
  id: string
  public_key: string
}

/** An alarm that no retention deletes. */
export interface AlarmHold {
  alarm: string
  who: string
  reason: string
  placed: string
}

/** With what it was; null where the alarm is gone. */
export interface HeldAlarm extends AlarmHold {
  camera: string | null
  camera_name: string | null
  kind: AlarmKind | null
  wall: string | null
}

export const evidence = {
  of: (alarm: string) => request<{ items: Evidence[] }>('GET', `/api/alarms/${id(alarm)}/evidence`),
  check: (alarm: string) => request<EvidenceCheck>('GET', `/api/alarms/${id(alarm)}/evidence/check`),
  key: () => request<SiteKey>('GET', '/api/evidence/key'),
  archives: () => request<{ items: Archive[] }>('GET', '/api/evidence/exports'),
  archive: (alarm: string) => request<Archive>('POST', `/api/alarms/${id(alarm)}/evidence`),
  removeArchive: (archive: string) => request<void>('DELETE', `/api/evidence/exports/${id(archive)}`),
  holds: (limit: number) =>
    request<{ items: HeldAlarm[]; total: number }>('GET', withQuery('/api/evidence/holds', { limit })),
  holdOf: (alarm: string) => request<AlarmHold>('GET', `/api/alarms/${id(alarm)}/hold`),
  hold: (alarm: string, reason: string) => request<AlarmHold>('PUT', `/api/alarms/${id(alarm)}/hold`, { reason }),
  lift: (alarm: string) => request<void>('DELETE', `/api/alarms/${id(alarm)}/hold`),
}
