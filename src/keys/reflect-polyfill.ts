/**
 * `@peculiar/x509` expects whoever loads it to load this first. It is a module of its own because the bundler of the single
 * binary runs imported ES modules before imported CommonJS ones: imported directly, the polyfill would come too late.
 */
// oxlint-disable-next-line import/no-unassigned-import -- a polyfill
import 'reflect-metadata'
