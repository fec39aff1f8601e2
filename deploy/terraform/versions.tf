terraform {
  required_version = ">= 1.9, < 2.0"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }
  # State names resources and holds no secret value. Keep it in a bucket with versioning: terraform init -backend-config="bucket=..."
  backend "gcs" {
    prefix = "ai-usage"
  }
}

provider "google" {
  project = var.project
  region  = var.region
  zone    = var.zone
}
