# One machine that runs docker-compose.yml, one disk that holds its volumes, a snapshot of that disk every day.

resource "google_compute_disk" "volumes" {
  # checkov:skip=CKV_GCP_37: Google's own keys encrypt it; a key of one's own is a policy of the organisation
  name   = "ai-usage-volumes"
  type   = "pd-balanced"
  zone   = var.zone
  size   = var.disk_gb
  labels = local.labels
  lifecycle {
    prevent_destroy = true
  }
  depends_on = [google_project_service.used]
}

# 08:00 UTC: hours before the day's run at 13:00 or 14:00 UTC.
resource "google_compute_resource_policy" "daily" {
  name   = "ai-usage-daily"
  region = var.region
  snapshot_schedule_policy {
    schedule {
      daily_schedule {
        days_in_cycle = 1
        start_time    = "08:00"
      }
    }
    retention_policy {
      max_retention_days    = var.snapshot_days
      on_source_disk_delete = "KEEP_AUTO_SNAPSHOTS"
    }
    snapshot_properties {
      labels            = local.labels
      storage_locations = [var.region]
    }
  }
}

resource "google_compute_disk_resource_policy_attachment" "daily" {
  name = google_compute_resource_policy.daily.name
  disk = google_compute_disk.volumes.name
  zone = var.zone
}

resource "google_compute_instance" "platform" {
  # checkov:skip=CKV_GCP_38: Google's own keys encrypt the boot disk, which holds nothing that lasts
  name                      = "ai-usage"
  machine_type              = var.machine_type
  zone                      = var.zone
  labels                    = local.labels
  deletion_protection       = true
  allow_stopping_for_update = true

  boot_disk {
    initialize_params {
      image = "debian-cloud/debian-13"
      size  = 20
      type  = "pd-balanced"
    }
  }

  attached_disk {
    source      = google_compute_disk.volumes.id
    device_name = "volumes"
  }

  network_interface {
    subnetwork = google_compute_subnetwork.inside.id
    # No access_config: the machine has no public address.
  }

  service_account {
    email  = google_service_account.pipeline.email
    scopes = ["cloud-platform"] # What it may do is decided by its roles, in access.tf.
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  metadata = {
    enable-oslogin         = "TRUE"
    block-project-ssh-keys = "TRUE"
    serial-port-enable     = "FALSE"
    compose-file           = file("${path.module}/../../docker-compose.yml")
    postgres-script        = file("${path.module}/../postgres/10-metabase.sh")
    marts-script           = file("${path.module}/../postgres/20-marts.sh")
    secrets-script         = file("${path.module}/../../scripts/secrets")
    # References to keys, never keys.
    environment = join("\n", concat(
      [
        "PLATFORM_IMAGE=${var.image}",
        "AI_USAGE_WAREHOUSE=${var.warehouse}",
        "AI_USAGE_BIGQUERY_PROJECT=${var.project}",
        "AI_USAGE_BIGQUERY_DATASET=${google_bigquery_dataset.warehouse.dataset_id}",
        "AI_USAGE_BIGQUERY_LOCATION=${google_bigquery_dataset.warehouse.location}",
        "AI_USAGE_START_DATE=${var.start_date}",
        "AI_USAGE_SHEET_ID=${var.sheet_id}",
        "AI_USAGE_ALERTS_LINK=${var.alerts_link}",
        "AI_USAGE_ALERTS_FILE=${var.alerts_file}",
      ],
      [for setting, value in local.metabase[var.warehouse] : "${setting}=${value}"],
      [for setting, name in local.chosen : "${setting}=sm://projects/${var.project}/secrets/${name}/versions/latest"],
      [""],
    ))
  }
  metadata_startup_script = file("${path.module}/startup.sh")

  depends_on = [
    google_compute_router_nat.out,
    google_secret_manager_secret_iam_member.pipeline_reads,
    google_artifact_registry_repository_iam_member.pipeline_pulls,
  ]
}
