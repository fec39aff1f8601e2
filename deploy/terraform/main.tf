# What lies in Google Cloud: the services that are used, the network, the image repository, the dataset.

locals {
  labels = { app = "ai-usage" }
  # Source -> the setting that takes its key.
  settings = {
    cursor            = "CURSOR_ADMIN_API_KEY"
    anthropic         = "ANTHROPIC_ADMIN_API_KEY"
    claude_enterprise = "ANTHROPIC_ANALYTICS_API_KEY"
    sheet             = "AI_USAGE_SHEET_CREDENTIALS"
  }
  # The addresses that alerts go to hold passwords, so they are a key too.
  asked = concat([for source in var.sources : local.settings[source]], var.alerts ? ["AI_USAGE_ALERT_URLS"] : [])
  # Setting -> its secret, which has the setting's name in lower case and with hyphens.
  chosen = { for setting in local.asked : setting => lower(replace(setting, "_", "-")) }
  # What Metabase reads. These files are made on the machine, by scripts/secrets and by hand.
  metabase = {
    duckdb = {
      AI_USAGE_SERVING_URL  = "file:///run/secrets/serving_url"
      METABASE_API_KEY      = "file:///run/secrets/metabase_api_key"
      METABASE_POSTGRES_URL = "file:///run/secrets/metabase_postgres_url"
    }
    bigquery = {
      AI_USAGE_METABASE_BIGQUERY_CREDENTIALS = "/run/secrets/metabase_bigquery_credentials"
      AI_USAGE_METABASE_ENGINE               = "bigquery"
      METABASE_API_KEY                       = "file:///run/secrets/metabase_api_key"
    }
  }
}

resource "google_project_service" "used" {
  for_each = toset([
    "artifactregistry.googleapis.com", "bigquery.googleapis.com", "compute.googleapis.com", "iap.googleapis.com",
    "logging.googleapis.com", "oslogin.googleapis.com", "secretmanager.googleapis.com",
  ])
  service            = each.key
  disable_on_destroy = false
}

resource "google_artifact_registry_repository" "images" {
  # checkov:skip=CKV_GCP_84: Google's own keys encrypt the images, which hold no secret and no data
  location      = var.region
  repository_id = "ai-usage"
  format        = "DOCKER"
  labels        = local.labels
  docker_config {
    immutable_tags = true
  }
  depends_on = [google_project_service.used]
}

resource "google_bigquery_dataset" "warehouse" {
  # checkov:skip=CKV_GCP_81: Google's own keys encrypt it; a key of one's own is a policy of the organisation, not of this module
  dataset_id                 = var.dataset
  location                   = var.bigquery_location
  description                = "AI usage and cost: raw versions, facts, marts."
  labels                     = local.labels
  delete_contents_on_destroy = false
  max_time_travel_hours      = "168"
  # No default expiry: a vendor may not answer for old days any more.
  lifecycle {
    prevent_destroy = true
  }
  depends_on = [google_project_service.used]
}

resource "google_compute_network" "inside" {
  name                    = "ai-usage"
  auto_create_subnetworks = false
  depends_on              = [google_project_service.used]
}

resource "google_compute_subnetwork" "inside" {
  # checkov:skip=CKV_GCP_76: the subnet has no IPv6 at all
  name                     = "ai-usage"
  network                  = google_compute_network.inside.id
  region                   = var.region
  ip_cidr_range            = "10.77.0.0/28"
  private_ip_google_access = true
  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.5
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

# The machine has no address of its own: to the vendors it goes through NAT, and nobody comes in by it.
resource "google_compute_router" "out" {
  name    = "ai-usage"
  network = google_compute_network.inside.id
  region  = var.region
}

resource "google_compute_router_nat" "out" {
  name                               = "ai-usage"
  router                             = google_compute_router.out.name
  region                             = var.region
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"
  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}

resource "google_compute_firewall" "nothing_in" {
  name      = "ai-usage-nothing-in"
  network   = google_compute_network.inside.id
  direction = "INGRESS"
  priority  = 65000
  deny {
    protocol = "all"
  }
  source_ranges = ["0.0.0.0/0"]
  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}

# Google's Identity-Aware Proxy comes from this range and from no other; it asks who somebody is before it opens a tunnel.
resource "google_compute_firewall" "iap_ssh" {
  name      = "ai-usage-iap-ssh"
  network   = google_compute_network.inside.id
  direction = "INGRESS"
  priority  = 1000
  allow {
    protocol = "tcp"
    ports    = ["22"]
  }
  source_ranges           = ["35.235.240.0/20"]
  target_service_accounts = [google_service_account.pipeline.email]
}
