import type { ProblemBody } from '@/api/types'

/** An answer that is not the one asked for; `code` is stable and translated by `errors.<code>`. */
export class Problem extends Error {
  readonly status: number
  readonly code: string
  readonly params: Record<string, unknown>

  constructor(body: ProblemBody) {
    super(body.detail)
    this.name = 'Problem'
    this.status = body.status
    this.code = body.code
    this.params = body.params
  }

  /** The form field that the server finds wrong, if it names one. */
  get field(): string {
    return typeof this.params.field === 'string' ? this.params.field : ''
  }
}

interface Access {
  token: () => string
  /** Get a new token, if the login still lasts. */
  renew: () => Promise<boolean>
}

let access: Access = { token: () => '', renew: () => Promise.resolve(false) }
/** What is answered with 401 for its own reasons, which no new token changes. */
const ENTRY = new Set(['/api/auth/login', '/api/auth/refresh', '/api/auth/logout', '/api/setup'])

/** The session store says here where the token comes from and how it is renewed. */
export function useAccess(next: Access): void {
  access = next
}

export type Query = Record<string, string | number | undefined>

export function withQuery(path: string, query: Query): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') search.set(key, String(value))
  }
  const text = search.toString()
  return text ? `${path}?${text}` : path
}

async function toProblem(response: Response): Promise<Problem> {
  let body: Partial<ProblemBody> = {}
  try {
    body = (await response.json()) as Partial<ProblemBody>
  } catch {
    // A proxy's error page is no JSON; the status has to do.
  }
  return new Problem({
    status: response.status,
    code: body.code ?? `http_${response.status}`,
    detail: typeof body.detail === 'string' ? body.detail : (body.title ?? response.statusText),
    params: body.params ?? {},
  })
}

async function send(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
  kind = 'application/json',
  more: Record<string, string> = {},
  again = true,
): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json', ...more }
  const token = access.token()
  if (token) headers.Authorization = `Bearer ${token}`
  if (body !== undefined) headers['Content-Type'] = kind
  let response: Response
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : kind === 'application/json' ? JSON.stringify(body) : (body as BodyInit),
      signal: signal ?? null,
      cache: 'no-store',
    })
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new Problem({ status: 0, code: 'offline', detail: 'The server cannot be reached.', params: {} })
  }
  if (response.ok) return response
  if (response.status === 401 && token && again && !ENTRY.has(path) && (await access.renew())) {
    return await send(method, path, body, signal, kind, more, false)
  }
  throw await toProblem(response)
}

/** Text of another content type, for the answer as it is. */
export async function exchange(path: string, kind: string, text: string): Promise<Response> {
  return await send('POST', path, text, undefined, kind)
}

export async function request<T>(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
  headers?: Record<string, string>,
): Promise<T> {
  const response = await send(method, path, body, signal, undefined, headers)
  if (response.status === 204) return undefined as T
  return (await response.json()) as T
}

/** A file as it is. */
export async function upload<T>(path: string, file: Blob): Promise<T> {
  return (await (await send('POST', path, file, undefined, 'application/octet-stream')).json()) as T
}

/** A change of what was seen at that revision; somebody else's change in between is told as `stale`. */
export async function change<T>(path: string, body: unknown, seen: number): Promise<T> {
  return (await (await send('POST', path, body, undefined, undefined, { 'If-Match': `"${seen}"` })).json()) as T
}

/** A picture that needs the token, as an object URL; whoever asks revokes it. */
export async function picture(path: string, signal: AbortSignal): Promise<string> {
  const response = await send('GET', path, undefined, signal)
  return URL.createObjectURL(await response.blob())
}

/** Fetch a file that needs the token, and have the browser save it. */
export async function download(path: string, name: string): Promise<void> {
  const response = await send('GET', path)
  const url = URL.createObjectURL(await response.blob())
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}
