import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

import { account } from '@/api/endpoints'
import { Problem, useAccess } from '@/api/http'
import type { Session, User } from '@/api/types'
import { backoff } from '@/live/backoff'
import { renewAt } from '@/stores/renewal'

const KEY = 'perishield.session'

interface Kept {
  token: string
  user: User
  /** Milliseconds since 1970 at which the token ends... */
  until: number
  /** ...and up to which it can be renewed. */
  lasts: number
}

function read(): Kept | null {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? 'null') as Kept | null
    return kept && kept.lasts > Date.now() ? kept : null
  } catch {
    return null
  }
}

/** Who is signed in. The token is short; it is renewed in silence by a cookie that scripts cannot read. */
export const useSession = defineStore('session', () => {
  const kept = ref<Kept | null>(read())
  const expired = ref(false)
  const setupNeeded = ref<boolean | null>(null)
  let timer = 0
  let failures = 0
  let renewing: Promise<boolean> | null = null

  const token = computed(() => kept.value?.token ?? '')
  const user = computed(() => kept.value?.user ?? null)
  const signedIn = computed(() => kept.value !== null)
  /** Whether the role allows it, at some camera at least. */
  const may = (action: string): boolean => user.value?.actions?.includes(action) ?? false
  /** Whether the role allows it at every camera. */
  const mayEverywhere = (action: string): boolean => user.value?.everywhere?.includes(action) ?? false

  function keep(session: Session): void {
    const now = Date.now()
    kept.value = {
      token: session.access_token,
      user: session.user,
      until: now + session.expires_in * 1000,
      lasts: now + session.session_s * 1000,
    }
    localStorage.setItem(KEY, JSON.stringify(kept.value))
    expired.value = false
    setupNeeded.value = false
    failures = 0
    watchClock()
  }

  function forget(): void {
    kept.value = null
    window.clearTimeout(timer)
    localStorage.removeItem(KEY)
  }

  function signOut(): void {
    if (!kept.value) return
    // The token still goes with it: the request is made before it is forgotten.
    account.logout().catch((error: unknown) => console.warn('logout', error))
    forget()
  }

  /** The server no longer takes the login. */
  function end(): void {
    if (!kept.value) return
    forget()
    expired.value = true
  }

  async function fetchToken(): Promise<boolean> {
    try {
      keep(await account.renew())
      return true
    } catch (error) {
      if (error instanceof Problem && error.status === 401) end()
      else watchClock(backoff(failures++, Math.random()))
      return false
    }
  }

  /** Get a new token; false where the login has ended, or the server cannot be reached. */
  async function renew(): Promise<boolean> {
    const stored = read()
    if (stored && kept.value && stored.token !== kept.value.token && stored.until > kept.value.until) {
      // Another tab has done it.
      kept.value = stored
      watchClock()
      return true
    }
    renewing ??= fetchToken().finally(() => (renewing = null))
    return await renewing
  }

  function watchClock(delay?: number): void {
    window.clearTimeout(timer)
    if (!kept.value) return
    timer = window.setTimeout(() => void renew(), delay ?? renewAt(kept.value.until, Date.now(), Math.random()))
  }

  async function login(username: string, password: string, code = ''): Promise<void> {
    keep(await account.login(username, password, code))
  }

  async function setup(setupToken: string, username: string, password: string): Promise<void> {
    keep(await account.setup(setupToken, username, password))
  }

  async function checkSetup(): Promise<boolean> {
    if (setupNeeded.value === null) setupNeeded.value = (await account.setupNeeded()).needed
    return setupNeeded.value
  }

  // Another tab signed in or out, or has renewed the token.
  window.addEventListener('storage', (event) => {
    if (event.key !== KEY) return
    kept.value = read()
    watchClock()
  })
  useAccess({ token: () => token.value, renew })
  watchClock()

  return { token, user, signedIn, may, mayEverywhere, expired, login, setup, checkSetup, signOut, renew, end }
})
