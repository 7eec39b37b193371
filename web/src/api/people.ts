import { download, request, withQuery } from '@/api/http'

const id = encodeURIComponent

export interface Account {
  id: string
  username: string
  full_name: string
  role: string
  disabled: boolean
  totp: boolean
  last_login: string | null
  revision: number
}

export interface Role {
  id: string
  name: string
  built_in: boolean
  actions: string[]
  grants: Record<string, string[]>
  totp: boolean
  users: number
  revision: number
}

export interface Group {
  id: string
  name: string
  kind: string
  note: string
  cameras: string[]
  revision: number
}

export interface RoleIn {
  name: string
  actions: string[]
  grants: Record<string, string[]>
  totp: boolean
  revision?: number
}

export interface GroupIn {
  name: string
  kind: string
  note: string
  cameras: string[]
  revision?: number
}

export interface PasswordLink {
  password_url: string
  expires: string
}

export interface AuditEntry {
  number: number
  at: string
  actor_name: string
  action: string
  target: string
  camera: string
  address: string
}

export interface Login {
  id: string
  seen: string
  address: string
  device: string
  current: boolean
}

/** A key of a machine, without its secret. `groups` null: at all cameras. */
export interface MachineKey {
  id: string
  name: string
  actions: string[]
  groups: string[] | null
  made_by: string
  created: string
  expires: string | null
  used: string | null
  revoked: string | null
}

export interface NewKey extends MachineKey {
  /** The secret, told this once. */
  key: string
}

interface List<T> {
  items: T[]
  total: number
}

export const people = {
  list: (search: string, offset: number, limit: number) =>
    request<List<Account>>('GET', withQuery('/api/users', { search, offset, limit })),
  add: (username: string, full_name: string, role: string) =>
    request<{ user: Account; password_link: PasswordLink | null }>('POST', '/api/users', { username, full_name, role }),
  change: (account: Account) => {
    const { username, full_name, role, disabled, revision } = account
    return request<Account>('PUT', `/api/users/${id(account.id)}`, { username, full_name, role, disabled, revision })
  },
  remove: (account: string) => request<void>('DELETE', `/api/users/${id(account)}`),
  passwordLink: (account: string) => request<PasswordLink>('POST', `/api/users/${id(account)}/password-link`),
  roles: () => request<List<Role> & { actions: string[] }>('GET', '/api/roles'),
  addRole: (role: RoleIn) => request<Role>('POST', '/api/roles', role),
  changeRole: (role: string, body: RoleIn) => request<Role>('PUT', `/api/roles/${id(role)}`, body),
  removeRole: (role: string) => request<void>('DELETE', `/api/roles/${id(role)}`),
  groups: () => request<List<Group>>('GET', withQuery('/api/groups', { limit: 500 })),
  addGroup: (group: GroupIn) => request<Group>('POST', '/api/groups', group),
  changeGroup: (group: string, body: GroupIn) => request<Group>('PUT', `/api/groups/${id(group)}`, body),
  removeGroup: (group: string) => request<void>('DELETE', `/api/groups/${id(group)}`),
}

export const keys = {
  list: () => request<List<MachineKey>>('GET', '/api/api-keys'),
  /** `days` 0: without an end. */
  add: (key: { name: string; actions: string[]; groups: string[] | null; days: number }) =>
    request<NewKey>('POST', '/api/api-keys', key),
  revoke: (key: string) => request<void>('DELETE', `/api/api-keys/${id(key)}`),
}

export const audit = {
  page: (before?: number) =>
    request<{ items: AuditEntry[]; next: number | null }>('GET', withQuery('/api/audit', { before, limit: 50 })),
  verify: () => request<{ intact: boolean; records: number; problem: string }>('GET', '/api/audit/verify'),
  download: () => download('/api/audit/export', 'audit.csv'),
}

export const profile = {
  show: () => request<{ totp: boolean; recovery_codes_left: number }>('GET', '/api/profile'),
  password: (old: string, fresh: string) => request<void>('PUT', '/api/profile/password', { old, new: fresh }),
  beginFactor: () => request<{ secret: string; uri: string }>('POST', '/api/profile/totp'),
  confirmFactor: (code: string) => request<{ recovery_codes: string[] }>('POST', '/api/profile/totp/confirm', { code }),
  endFactor: (password: string) => request<void>('POST', '/api/profile/totp/off', { password }),
  logins: () => request<List<Login>>('GET', '/api/profile/sessions'),
  endLogin: (login: string) => request<void>('DELETE', `/api/profile/sessions/${id(login)}`),
  endOthers: () => request<void>('DELETE', '/api/profile/sessions'),
}
