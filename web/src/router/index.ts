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
      path: '/schedules',
      name: 'schedules',
      component: () => import('@/pages/SchedulesPage.vue'),
      meta: { title: 'schedules.title' },
    },
    {
      path: '/ways',
      name: 'ways',
      component: () => import('@/pages/WaysPage.vue'),
      meta: { title: 'ways.title' },
    },
    {
      path: '/models',
      name: 'models',
      component: () => import('@/pages/ModelsPage.vue'),
      meta: { title: 'models.title' },
    },
    {
      path: '/tasks',
      name: 'tasks',
      component: () => import('@/pages/TasksPage.vue'),
      meta: { title: 'tasks.title' },
    },
    {
      path: '/cameras/:id/privacy',
      name: 'privacy',
      component: () => import('@/pages/PrivacyPage.vue'),
      meta: { title: 'privacy.open' },
    },
    {
      path: '/recordings',
      name: 'recordings',
      component: () => import('@/pages/RecordingsPage.vue'),
      meta: { title: 'nav.recordings' },
    },
    {
      path: '/holds',
      name: 'holds',
      component: () => import('@/pages/HoldsPage.vue'),
      meta: { title: 'evidence.holds' },
    },
    {
      path: '/statistics',
      name: 'statistics',
      component: () => import('@/pages/StatisticsPage.vue'),
      meta: { title: 'nav.statistics' },
    },
    {
      path: '/channels',
      name: 'channels',
      component: () => import('@/pages/ChannelsPage.vue'),
      meta: { title: 'nav.channels' },
    },
    {
      path: '/system',
      name: 'system',
      component: () => import('@/pages/SystemPage.vue'),
      meta: { title: 'nav.system' },
    },
    {
      path: '/people',
      name: 'people',
      component: () => import('@/pages/PeoplePage.vue'),
      meta: { title: 'people.title' },
    },
    {
      path: '/profile',
      name: 'profile',
      component: () => import('@/pages/ProfilePage.vue'),
      meta: { title: 'profile.title' },
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
    {
      path: '/password',
      name: 'password',
      component: () => import('@/pages/PasswordPage.vue'),
      meta: { open: true, title: 'account.passwordTitle' },
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
