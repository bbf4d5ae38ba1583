// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/runtime/metrics.h>

#include <array>

/// The metric families of this library. Names that the reference has are the reference's; those
/// of our own executors have the prefix dynamo_runtime_.
namespace dynamo::runtime {

/// Source of names and buckets: lib/runtime/src/metrics v1.5 (a 10 ms sleep canary, as ours).
inline const MetricFamily kEventLoopDelay{
    .name = "dynamo_frontend_event_loop_delay_seconds",
    .help = "How late a 10 ms timer of a shard with requests in progress ran, in seconds",
    .type = MetricType::histogram,
    .labels = {},
    .buckets = {0, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1}};
inline const MetricFamily kEventLoopStalls{.name = "dynamo_frontend_event_loop_stall_total",
                                           .help = "Event loop delays over 5 ms",
                                           .type = MetricType::counter,
                                           .labels = {},
                                           .buckets = {}};

inline const MetricFamily kShardActiveRequests{.name = "dynamo_runtime_shard_active_requests",
                                               .help = "Requests in progress on each shard",
                                               .type = MetricType::gauge,
                                               .labels = {"shard"},
                                               .buckets = {}};

inline const MetricFamily kSlowSections{.name = "dynamo_runtime_slow_sections_total",
                                        .help = "Pieces of work that kept a shard for over 1 ms",
                                        .type = MetricType::counter,
                                        .labels = {"section"},
                                        .buckets = {}};

inline const MetricFamily kComputeThreads{.name = "dynamo_runtime_compute_threads",
                                          .help = "Threads of the compute pool",
                                          .type = MetricType::gauge,
                                          .labels = {},
                                          .buckets = {}};
inline const MetricFamily kComputeQueued{.name = "dynamo_runtime_compute_queued_jobs",
                                         .help = "Jobs that wait for a thread of the compute pool",
                                         .type = MetricType::gauge,
                                         .labels = {},
                                         .buckets = {}};
inline const MetricFamily kComputeActive{.name = "dynamo_runtime_compute_active_jobs",
                                         .help = "Jobs that run on the compute pool",
                                         .type = MetricType::gauge,
                                         .labels = {},
                                         .buckets = {}};
inline const MetricFamily kComputeJobs{.name = "dynamo_runtime_compute_jobs_total",
                                       .help = "Jobs that the compute pool has finished",
                                       .type = MetricType::counter,
                                       .labels = {},
                                       .buckets = {}};
inline const MetricFamily kComputeRejected{
    .name = "dynamo_runtime_compute_rejected_jobs_total",
    .help = "Jobs refused because the compute pool's queue was full",
    .type = MetricType::counter,
    .labels = {},
    .buckets = {}};
inline const MetricFamily kComputeBusySeconds{
    .name = "dynamo_runtime_compute_busy_seconds_total",
    .help = "Time that threads of the compute pool spent in jobs",
    .type = MetricType::counter,
    .labels = {},
    .buckets = {}};

inline const MetricFamily kAcceptedConnections{
    .name = "dynamo_runtime_accepted_connections_total",
    .help = "Connections accepted by the listening socket",
    .type = MetricType::counter,
    .labels = {"listener"},
    .buckets = {}};
inline const MetricFamily kAcceptPauses{
    .name = "dynamo_runtime_accept_pauses_total",
    .help = "Times that accepting paused because the process or the system was out of descriptors",
    .type = MetricType::counter,
    .labels = {"listener"},
    .buckets = {}};

/// All of them.
inline constexpr std::array kRuntimeFamilies{
    &kEventLoopDelay,  &kEventLoopStalls,    &kShardActiveRequests, &kSlowSections,
    &kComputeThreads,  &kComputeQueued,      &kComputeActive,       &kComputeJobs,
    &kComputeRejected, &kComputeBusySeconds, &kAcceptedConnections, &kAcceptPauses};

}  // namespace dynamo::runtime
