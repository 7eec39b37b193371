import { createRouter, createWebHistory, type RouteLocationRaw } from 'vue-router'

import WallPage from '@/pages/WallPage.vue'
import { useSession } from '@/stores/session'

declare module 'vue-router' {
  interface RouteMeta {
    /** Shown without the navigation, and to anybody. */
    open?: boolean
    title?: string
  }
}

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', name: 'wall', component: WallPage, meta: { title: 'nav.live' } },
    {
      path: '/alarms/:id?',
      name: 'alarms',
      component: () => import('@/pages/AlarmsPage.vue'),
      meta: { title: 'nav.alarms' },
    },
    {
      path: '/cameras',
      name: 'cameras',
      component: () => import('@/pages/CamerasPage.vue'),
      meta: { title: 'nav.cameras' },
    },
    {
      path: '/cameras/:id/rules',
      name: 'rules',
      component: () => import('@/pages/RulesPage.vue'),
      meta: { title: 'rules.title' },
    },
    {
      path: '/recordings',
      name: 'recordings',
      component: () => import('@/pages/RecordingsPage.vue'),
      meta: { title: 'nav.recordings' },
    },
    {
      path: '/system',
      name: 'system',
      component: () => import('@/pages/SystemPage.vue'),
      meta: { title: 'nav.system' },
    },
    {
      path: '/login',
      name: 'login',
      component: () => import('@/pages/LoginPage.vue'),
      meta: { open: true, title: 'account.loginTitle' },
    },
    {
      path: '/setup',
      name: 'setup',
      component: () => import('@/pages/SetupPage.vue'),
      meta: { open: true, title: 'account.setupTitle' },
    },
    { path: '/:rest(.*)*', name: 'lost', component: () => import('@/pages/LostPage.vue') },
  ],
})

router.beforeEach(async (to): Promise<RouteLocationRaw | true> => {
  const session = useSession()
  if (to.meta.open || session.signedIn) return true
  // A server that cannot be asked shows its error on the sign-in page.
  const needed = await session.checkSetup().catch(() => false)
  if (needed) return { name: 'setup' }
  return { name: 'login', query: to.fullPath === '/' ? {} : { next: to.fullPath } }
})
